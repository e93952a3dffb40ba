"""Tests of the consent package."""
