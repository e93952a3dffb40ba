"""Tests of `consent.witness`."""
