"""Residents and how to reach them.

Owns: residents, their attributes, contact points, where messages reach them, the "This wasn't me" links. Routes: none.
Leaves to others: passwords and sessions (`idp.login`), sign-up (`idp.signup`), the pages of contact points
    (`idp.contacts`), recovery (`idp.recovery`), the end of accounts (`idp.closing`), proof of identity (to come).
Others import: `models`, `service`, `rules`, `contacts`, `reach`, `not_me`.
"""
