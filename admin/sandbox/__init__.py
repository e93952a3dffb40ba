"""The sample town Riverton: everything of `denizen demo`.

Owns: the demo's folder, the residents, partners and staff that it is seeded with, the partner apps (Authlib
clients that know nothing of our code), the mailbox, and the processes that serve all this on one machine.
Leaves to others: the town itself, which runs by `denizen serve` as any town does; every row is written through
the services of `idp`, `consent` and `admin`. Nothing here is meant for a public address.
Routes: the mailbox has `/`, `/messages/<id>` (and `.json`, `/html`, `/letter.pdf` of it), `/messages.json`, `/codes`,
and takes text messages at `/sms`; a partner app `/`, `/sign-in`,
`/callback`, `/refresh`, `/sign-out`, `/signed-out`.
Others may import: `cli.demo`; tests, what they need.
"""
