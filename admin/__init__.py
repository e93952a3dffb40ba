"""The staff app: a second WSGI app with its own address, cookie and sign-in rules.

Owns: staff accounts and their sign-in, officer pages, the sample town (`sandbox`).
Leaves to others: residents, protocol and consent; it calls `idp`, `consent` and `keys`.
Routes: `/`, `/login`, `/logout`, `/officer`, `/officer/people/<reference>`.
Others import: `app.create_app`, `models.Base` (migrations).
"""
