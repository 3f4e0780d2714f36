"""The sweep engine: what touches files and processes."""
