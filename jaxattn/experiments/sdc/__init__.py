"""Selective dependence classification: who is right for the right reason, by bag length."""
