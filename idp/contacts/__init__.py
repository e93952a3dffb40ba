"""How a resident can be reached, and how that changes.

Owns: the pages of contact points, changes that wait for a confirmation or for their time.
Routes: `/account/contacts…`, `/contact-change/…`.
Leaves to others: the contact points themselves (`idp.accounts.contacts`), messages (`idp.messaging`).
Others import: `service.apply_due` (`idp.upkeep`), `service.stop_everything` (`idp.closing`), `service.stop` (`idp.app`).
"""
