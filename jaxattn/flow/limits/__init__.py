"""The continuous limits of training, one equation a file."""
