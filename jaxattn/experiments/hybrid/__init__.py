"""Hybrid: soft attention first, then hard: when the change pays."""
