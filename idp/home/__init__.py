"""Pages around the account.

Owns: the start page, the overview of one's account, the page of devices and sessions, help. Routes: `/`, `/account`,
`/account/devices`, `/help`, `/help/sign-in`, `/accessibility`, `/privacy-statement`.
Leaves to others: privacy (`consent`), sign-in (`idp.login`), how tokens end (`idp.oidc.families`).
"""
