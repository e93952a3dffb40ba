"""Tests of `keys`, on both engines."""
