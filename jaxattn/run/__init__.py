"""Rows become a labelled result: tiles, jobs, data, coordinates, chunks."""
