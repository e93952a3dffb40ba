"""A partner's site on Django with mozilla-django-oidc, as its documentation says: `python -m tests.interop.django_site SETTINGS`.

SETTINGS is a JSON file: `port`, `folder`, and the `OIDC_…` settings as they would stand in a Django project.
"""
