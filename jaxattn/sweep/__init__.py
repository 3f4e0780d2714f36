"""Rows of a sweep become a labelled result."""

__all__: list[str] = []
