"""Notices before residents read them: drafts, what they change, for how many, and their publication; and the end of purposes.

Owns: the pages under `/notices`, for privacy officers. Routes: `/notices`, `/notices/drafts/<id>` and what it does,
    `/notices/purposes/<id>/draft`, `/notices/purposes/<id>/end`.
Leaves to others: drafts, the linter and publishing (`consent.drafts`), ending (`consent.ending`), the page of residents
    (`idp.oidc.sections`).
Others import: `views.bp`.
"""
