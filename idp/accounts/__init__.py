"""Residents and how to reach them.

Owns: residents, their attributes, contact points. Routes: none.
Leaves to others: passwords and sessions (`idp.login`), sign-up (`idp.signup`), proof of identity (to come).
Others import: `models`, `service`, `rules`.
"""
