"""Signing in with a printed card: for people without phone, e-mail or computer.

Owns: cards, their PINs, the paper lists of single-use codes, and both pages that ask for them.
Routes: `/login/card`, `/login/paper-code`.
Leaves to others: what a sign-in still owes (`idp.login.steps`), the paper they are printed on (`idp.paper`).
Others import: `service` to issue, replace and revoke; `printing` for the PDF; `models` for migrations.

A card bears a number, which says whose it is and is no secret, and a code to scan that holds the same number behind
the `#` of an address, which browsers never send. The PIN and the list stand on sheets of their own, so that a lost
card opens nothing. What is kept of PIN and codes are hashes: whoever prints must hand over what was printed.
"""
