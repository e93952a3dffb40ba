"""Notices before residents read them: drafts, what they change, for how many, and their publication.

Owns: the pages under `/notices`, for privacy officers. Routes: `/notices`, `/notices/drafts/<id>` and what it does.
Leaves to others: drafts, the linter and publishing (`consent.drafts`), the page of residents (`idp.oidc.sections`).
Others import: `views.bp`.
"""
