"""Telling partners that a session has ended."""
