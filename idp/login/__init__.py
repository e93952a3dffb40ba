"""Signing in.

Owns: passwords, browser sessions, guessing budgets, the sign-in page. Routes: `/login`.
Leaves to others: who the resident is (`idp.accounts`), what a partner gets (`idp.oidc`).
Others import: `models`, `sessions`, `passwords`, `service`.
"""
