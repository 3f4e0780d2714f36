"""The Python doors: what a person calls."""
