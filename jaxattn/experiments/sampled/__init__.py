"""Hard attention by samples: what estimators of its gradient cost against the exact expectation."""
