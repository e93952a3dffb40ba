"""Signing in with another provider: the country's, another town's.

Owns: the conversation with OpenID Connect providers upstream, who of theirs is which resident of ours, newcomers who
wait for an account. Routes: `/login/upstream`, `/login/upstream/<provider>` and its `/callback` and `/new`;
`/account/connect/with/<provider>`, `/account/connect/<handle>`, `/account/connect/remove`.
Leaves to others: which level a sign-in needs and what else is owed (`idp.login.steps`), making accounts
(`idp.signup`), fetching (`idp.web.fetcher`).
Others import: `service.open_upstreams`, `identities.way` and the blueprints to wire it, `account_views.connected` for
the page of one's ways in, `newcomers` for sign-up, `models` for migrations and upkeep. Templates of the sign-in page
have `upstream_buttons()` and `upstream_problems()`.
"""
