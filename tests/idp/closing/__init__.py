"""Accounts that freeze and end."""
