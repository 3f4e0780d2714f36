"""Which paradigm leads, over all sizes of the solvable setting."""
