"""Discrete training with optax: optimisers on the clocks of their flows, and runs."""
