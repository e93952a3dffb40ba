"""Pages around the account.

Owns: the start page, the account page with its sessions, help. Routes: `/`, `/account`, `/help`,
`/help/sign-in`, `/accessibility`. Leaves to others: privacy (`consent`), sign-in (`idp.login`).
"""
