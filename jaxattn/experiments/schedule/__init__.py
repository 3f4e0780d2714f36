"""The best mixture of soft and hard attention for a horizon."""
