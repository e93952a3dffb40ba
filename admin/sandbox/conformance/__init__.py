"""A town for the OpenID Foundation's conformance suite: everything of `denizen conformance`.

Owns: the description of a run, a throw-away authority for certificates, the resident who has every standard claim,
the static clients of each profile, the door that asks for client certificates, the settings that the suite is given.
Leaves to others: the town itself, which runs by `denizen serve` behind the switches of `[testing]`; every row is
written through the services of `idp` and `consent`. Nothing here is meant for a public address, and none is taken.
Routes: none of its own; the door passes on what the town has, and tells it the certificate.
Others may import: `cli.conformance`; tests, what they need.
"""
