"""Guessing budgets on every store."""
