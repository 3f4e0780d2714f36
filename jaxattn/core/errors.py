"""What is raised where a person asked for what cannot be done. Imports nothing."""

__all__ = ["InputError"]


class InputError(ValueError):
    """What a person asked for cannot be done; the message says got, expected and how to fix."""
