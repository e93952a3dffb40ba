"""Getting back in.

Owns: recovery (links and codes to confirmed contact points, letters, trusted people with a delay), the people whom a
    resident trusts with it, and what ends when a credential changes. Routes: `/recover…`, `/account/helpers…`.
Leaves to others: passwords, second factors and sessions (`idp.login`), contact points (`idp.accounts`), texts and
    delivery (`idp.messaging`), the page that freezes an account (`idp.closing`).
Others import: `ending` (`credentials_changed`, `stop_cases`, `recoveries_under_way`, `end_expired`), `freeze.freeze`, `erase.forget`,
    `helping` (`end_since`, `end_all_of`), `codes`, `answering.answer_asked` (`idp.upkeep`).

Recovery gives a resident new means to sign in with; it never makes another resident, so every service knows them by
the same `sub` afterwards. It never passes by an enrolled second factor: what is owed is recomputed from rows on
every page (K22, K23, K27).
"""
