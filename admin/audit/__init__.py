"""The officer's audit: every record by what it says, one person's timeline, what they saw, and the proof of it.

Owns: the search over all records, pseudonymous; a person's timeline and what they had agreed to on a day; the page they
    saw, rebuilt; the state of the log; signed exports; the officer's own look-ups. Routes: `/officer/records`,
    `/officer/record`, `/officer/people/<reference>/timeline`, `…/as-of`, `…/page`, `…/proof`, `…/export`,
    `/officer/export`, `/officer/exports`, `/officer/integrity`, `/officer/mine`.
Leaves to others: finding and opening a person's file (`admin.officer`), what is read and how (`consent.audit`).
Others import: `views.bp`, `evidence_views.bp`; `asking` (choices of services and days), `files` (safe CSV).
"""
