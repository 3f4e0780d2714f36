"""All claims of the paper, on theory and on every data set, side by side."""
