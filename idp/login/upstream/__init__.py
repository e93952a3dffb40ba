"""Signing in with another provider: the country's, another town's.

Owns: the conversation with OpenID Connect providers upstream, who of theirs is which resident of ours, newcomers who
wait for an account. Routes: `/login/upstream`, `/login/upstream/<provider>` and its `/callback` and `/new`,
`/account/connect`.
Leaves to others: which level a sign-in needs and what else is owed (`idp.login.steps`), making accounts
(`idp.signup`), fetching (`idp.web.fetcher`).
Others import: `buttons` and `problem_text` for the sign-in page, `way` for the town's ways in, `connected` for the
page of one's ways in, `arrivals` for sign-up, `Upstreams` to wire it, `models`.
"""
