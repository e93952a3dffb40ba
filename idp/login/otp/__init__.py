"""Apps that show codes: time-based one-time passwords (RFC 6238), a second factor.

Owns: the table `login_totp`, adding, naming and removing an app, checking a code. Routes: `/login/totp`,
`/account/sign-in/apps/…`.
Leaves to others: what is owed besides (`idp.login.steps`), how often may be guessed (`idp.login.budgets`).
Others import: `models`, `service.WAY`, `service.listed`, `service.remove_all`, `views.bp`.
"""
