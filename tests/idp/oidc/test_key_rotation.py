"""Keys turn while clients hold tokens: nothing that was signed fails to verify while it is good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.upkeep import retire_key, rotate_keys
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.town import Town


def _published(town: Town) -> KeySet:
    town.fresh()
    return KeySet.import_key_set(town.app.test_client().get("/jwks", base_url=ISSUER).json)


def _verify(town: Town, id_token: str, algorithm: str) -> dict[str, Any]:
    return dict(jwt.decode(id_token, _published(town), algorithms=[algorithm]).claims)


def _kid(id_token: str) -> str:
    return str(jws.extract_compact(id_token.encode()).headers()["kid"])


@pytest.mark.parametrize(("name", "algorithm"), [("library", "ES256"), ("tax", "RS256")])
def test_tokens_from_before_a_rotation_verify_after_it(town: Town, name: str, algorithm: str) -> None:
    """OIDC Core §10.1.1: the former key stays published; the next one signs, and was published before."""
    partner = getattr(town, name)
    before = town.tokens(partner, town.maria, "openid email")["id_token"]
    known = {key.kid for key in _published(town).keys}
    rotate_keys(town.context, alg=None, force=True, now=int(town.clock()))
    town.fresh()
    after = town.tokens(partner, town.maria, "openid email")["id_token"]
    assert _kid(before) != _kid(after)
    assert _kid(after) in known, "a client with a cached set already knows the key"
    first, second = _verify(town, before, algorithm), _verify(town, after, algorithm)
    assert first["sub"] == second["sub"]


def test_the_published_set_gets_a_new_etag(town: Town) -> None:
    """A cache that asks learns of the change."""
    client = town.app.test_client()
    etag = client.get("/jwks", base_url=ISSUER).headers["ETag"]
    rotate_keys(town.context, alg=None, force=True, now=int(town.clock()))
    town.fresh()
    answer = client.get("/jwks", base_url=ISSUER, headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag


def test_a_retired_key_is_believed_no_more(town: Town) -> None:
    """For a stolen key: not published, and no hint of ours either."""
    browser_tokens = town.tokens(town.library, town.maria, "openid email")
    before = browser_tokens["id_token"]
    rotate_keys(town.context, alg=None, force=True, now=int(town.clock()))
    retire_key(town.context, _kid(before), now=int(town.clock()))
    with pytest.raises((JoseError, ValueError)):
        _verify(town, before, "ES256")
    query = {"id_token_hint": before, "post_logout_redirect_uri": "https://rp.example/bye"}
    answer = town.browser().get("/logout", query_string=query)
    assert answer.headers["Location"] == "/logged-out"


def test_a_hint_from_before_a_rotation_is_still_a_hint(town: Town) -> None:
    """RP-Initiated Logout §2: clients keep their ID token for the whole session."""
    from tests.support.town import Proof

    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, "openid profile", proof)
    hint = town.redeem(town.library, code, proof).json["id_token"]
    rotate_keys(town.context, alg=None, force=True, now=int(town.clock()))
    town.fresh()
    query = {"id_token_hint": hint, "post_logout_redirect_uri": "https://rp.example/bye"}
    assert browser.get("/logout", query_string=query).headers["Location"] == "https://rp.example/bye"


def test_access_and_refresh_tokens_do_not_depend_on_keys(town: Town) -> None:
    """They are random, so no rotation ends them."""
    tokens = town.tokens(town.library, town.maria, "openid profile email offline_access")
    rotate_keys(town.context, alg=None, force=True, now=int(town.clock()))
    town.fresh()
    assert town.userinfo(tokens["access_token"]).status_code == 200
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 200


def test_keys_turn_at_nobodys_word_from_outside(town: Town) -> None:
    """The hooks of a conformance run do not exist in a town that has no secret for them."""
    http = town.app.test_client()
    assert http.post("/testing/rotate-keys", base_url=ISSUER).status_code == 404
    assert http.get("/testing/resource", base_url=ISSUER).status_code == 404
