"""Requests under the rights of residents."""
