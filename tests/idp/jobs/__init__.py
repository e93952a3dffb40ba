"""Leases and stamps."""
