"""Receipts: what they say, and that nothing in them can be changed unnoticed."""
