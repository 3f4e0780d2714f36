"""A sweep on machines: its chunks, where they are computed, its folder, and what is said of it."""
