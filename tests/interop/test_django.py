"""A partner's site on Django with mozilla-django-oidc, in a process of its own, against the town as it is served."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.loopback import free_port
from tests.support.riverton import ROOT
from tests.support.tied import Tied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.strict import StrictTown, Visitor

SCOPE = "openid email"


@contextmanager
def django_site(strict: StrictTown, folder: Path, **more: Any) -> Iterator[str]:
    """The site, registered and served; where it is."""
    port = free_port()
    url = f"http://localhost:{port}"
    client = strict.register(
        redirect_uris=[f"{url}/oidc/callback/"],
        post_logout_redirect_uris=[f"{url}/"],
        grant_types=["authorization_code"],
        token_endpoint_auth_method="client_secret_post",
        id_token_signed_response_alg="RS256",
        scope=SCOPE,
    )
    metadata = strict.metadata()
    settings = {
        "port": port,
        "folder": str(folder),
        "OIDC_RP_CLIENT_ID": client["client_id"],
        "OIDC_RP_CLIENT_SECRET": client["client_secret"],
        "OIDC_RP_SIGN_ALGO": "RS256",
        "OIDC_RP_SCOPES": SCOPE,
        "OIDC_OP_AUTHORIZATION_ENDPOINT": metadata["authorization_endpoint"],
        "OIDC_OP_TOKEN_ENDPOINT": metadata["token_endpoint"],
        "OIDC_OP_USER_ENDPOINT": metadata["userinfo_endpoint"],
        "OIDC_OP_JWKS_ENDPOINT": metadata["jwks_uri"],
        "OIDC_OP_LOGOUT_ENDPOINT": metadata["end_session_endpoint"],
        "OIDC_VERIFY_SSL": str(strict.ca),
        **more,
    }
    file = folder / "site.json"
    file.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "tests.interop.django_site", file]
    process = Tied(command, log=folder / "log", cwd=ROOT)
    try:
        assert process.output.readline() == "ready\n", process.last_words()
        yield url
    finally:
        process.stop()


@pytest.mark.parametrize("pkce", [True, False], ids=["PKCE", "as it is out of the box"])
def test_a_django_site_signs_in_renews_silently_and_signs_out(
    strict: StrictTown, visitor: Visitor, tmp_path: Path, *, pkce: bool
) -> None:
    """OIDC Core §3.1 with RS256, prompt=none for a session that is over, RP-Initiated Logout from the site's button."""
    with django_site(strict, tmp_path, OIDC_USE_PKCE=pkce) as url:
        signed_out = {"signed_in": False, "email": ""}
        signed_in = {"signed_in": True, "email": strict.claims["email"]}
        visitor.roam(f"{url}/")
        assert visitor.page.json() == signed_out
        visitor.roam(f"{url}/oidc/authenticate/")
        assert visitor.page.json() == signed_in
        assert visitor.sign_ins == 1
        visitor.roam(f"{url}/expire")
        visitor.roam(f"{url}/")
        assert f"{strict.issuer}/authorize" in visitor.been
        assert (visitor.page.json(), visitor.sign_ins) == (signed_in, 1)
        visitor.roam(f"{url}/oidc/logout/")
        assert (visitor.page.url, visitor.page.json()) == (f"{url}/", signed_out)
        visitor.roam(f"{url}/oidc/authenticate/")
        assert visitor.sign_ins == 2, "the town has forgotten the session, too"
