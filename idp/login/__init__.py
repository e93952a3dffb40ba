"""Signing in.

Owns: what a sign-in must prove (`levels`), the sign-in under way as rows (`attempts`, `settling`, `steps`), passwords,
passkeys, browser sessions; in folders of their own apps that show codes (`otp`), codes that are sent (`codes`), recovery
codes, cards, providers upstream, guessing budgets and known devices.
Routes: `/login`, `/login/other`, `/login/passkey`, `/account/passkeys`, `/account/password`, and those of the folders.
Leaves to others: who the resident is (`idp.accounts`), what a partner gets (`idp.oidc`).
Others import: `models`, `sessions`, `passwords`, `levels`, `settling`, `steps`, `ports`.

A factor has a page at `/login/<factor>` that begins with `steps.enter()` (or `steps.expect(method)`), and a `Way` that
`create_app` is told of. On a right answer it hands a `Proof` to `steps.settler().next(...)` in the transaction that
spends the code, and answers with `steps.answer(...)`.
"""
