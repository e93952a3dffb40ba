"""What a resident may ask for about their own data: GDPR Art. 15 to 21.

Owns: requests with their clock and steps, the copy of everything held (the map `holdings` says how each table is found
    and read), erasure, rectification, restriction, objection. Routes: `/privacy/rights…`.
Leaves to others: what stops a service (`idp.oidc.holds`), the end of an account (`idp.closing`), what is recorded and
    logged (`consent`), the officer's pages (`admin.requests`).
Others import: `service`, `queue`, `rules`, `words` (`admin.requests`); `service.object_to` (`idp.app`).
"""
