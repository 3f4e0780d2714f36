"""Where the solvable setting loses its symmetry, and what full training does there."""
