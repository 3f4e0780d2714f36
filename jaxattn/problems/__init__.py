"""A task, a model, a paradigm and an attention map as a `Problem`, its measures and data."""
