"""A run as one HTML page, and a comparison written to a directory."""
