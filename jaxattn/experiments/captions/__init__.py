"""Captions of mosaics: attention for every word, and what is written."""
