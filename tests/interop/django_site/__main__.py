"""Set the site up in a folder of its own and serve it until ended."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

PAGES = "tests.interop.django_site.urls"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Addresses carry codes and states."""


def main(file: Path) -> None:
    """Serve until ended."""
    told = json.loads(file.read_text())
    port, folder = told.pop("port"), told.pop("folder")
    settings.configure(
        SECRET_KEY=told["OIDC_RP_CLIENT_SECRET"],
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=PAGES,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/django.sqlite"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "mozilla_django_oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "mozilla_django_oidc.middleware.SessionRefresh",
        ],
        AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
        LOGIN_REDIRECT_URL="/",
        LOGOUT_REDIRECT_URL="/",
        ALLOW_LOGOUT_GET_METHOD=True,
        OIDC_EXEMPT_URLS=["expire"],
        OIDC_STORE_ID_TOKEN=True,
        OIDC_OP_LOGOUT_URL_METHOD=f"{PAGES}.logout_url",
        **told,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    with make_server("127.0.0.1", port, get_wsgi_application(), handler_class=_Quiet) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
