"""What is recorded at a save: the record itself, curvature, position, own probes."""
