"""Accounts that stop: frozen because of "This wasn't me", closed on request after a grace period, closed as dormant.

Owns: the end of an account and its erasure, the page behind the link in every notice. Routes: `/account/close…`,
    `/account/closing`, `/not-me/…`.
Leaves to others: the consent history, which stays as commitments nobody can open any more (`consent`); thawing a
    frozen account (`idp.recovery`); telling partners by event (to come: `service.close` is where it belongs).
Others import: `service.advance` and `service.find_dormant` (`idp.upkeep`), `service.found_alive` (`idp.app`).
"""
