"""The classification model under an imposed attention (paper, section 3.1)."""
