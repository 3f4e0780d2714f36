"""The paradigms on text with rationales, and whether the claims carry over to it."""
