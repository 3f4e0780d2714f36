"""Heatmaps: attention on the foreground against the chance of the right class."""
