"""Recovery codes: ten to print and keep, each good for one sign-in instead of the second factor.

Owns: the table `login_recovery_code`, making and spending codes. Routes: `/login/recovery-code`,
`/account/sign-in/recovery-codes`.
Leaves to others: getting back in without the first factor (`idp.recovery`).
Others import: `models`, `service.WAY`, `service.spend`, `service.left`, `service.remove_all`, `views.bp`.
"""
