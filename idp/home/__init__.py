"""Pages around the account.

Owns: the start page with the services of the town, the overview of one's account, the page of devices and sessions, the button that stops everything, help. Routes: `/`, `/account`,
`/account/devices`, `/privacy/pause`, `/paused`, `/help`, `/help/sign-in`, `/accessibility`, `/privacy-statement`.
Leaves to others: where a service is entered (`idp.oidc.entrances`), privacy (`consent`), sign-in (`idp.login`), how tokens end (`idp.oidc.families`).
"""
