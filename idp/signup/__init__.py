"""How a person becomes a resident.

Owns: the sign-up pages and the links sent by mail. Routes: `/signup`, `/signup/confirm`.
Leaves to others: the resident's record (`idp.accounts`), the password (`idp.login`).
"""
