"""Tests of `idp`; folders mirror the package."""
