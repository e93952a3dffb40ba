"""The breach assistant: who is affected when something happens at a service, and what is due within 72 hours.

Owns: recording an incident, its clock (GDPR Art. 33), telling those affected in the officer's words (Art. 34).
    Routes: `/officer/incidents`, `/officer/incident`.
Leaves to others: who received data (`consent.audit`), delivery of mail and letters (`idp.messaging`).
Others import: `views.bp`.

Everything is an act with its entry in the log: the incident, each person told, the report to the authority.
"""
