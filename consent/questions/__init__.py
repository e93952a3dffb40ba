"""Consent outside a sign-in: a service asks, the resident answers on their own pages, the service hears yes or no.

Owns: questions that wait and their answers, what a service may hear of them, agreeing once more to what ends by itself;
    the pages ``/privacy/questions``, ``/privacy/questions/<id>``, ``/privacy/renewals/<purpose_id>``.
Leaves to others: who asks and about whom (clients, subjects: ``idp.oidc.views.consent_requests``), who is signed in.
Others may import: ``service``, ``views.bp``.
"""
