"""Results with labels, and their files."""
