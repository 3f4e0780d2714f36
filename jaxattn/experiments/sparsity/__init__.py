"""Sparse attention: whether maps with exact zeros focus better, or only on fewer segments."""
