"""Tests of `idp.web`."""
