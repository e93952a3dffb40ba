"""What tokens are signed with: exactly what `[keys] algorithms` names, from discovery to hints (FAPI 2.0 §5.4.1)."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from idp.clients.metadata import ClientRefused, Details, NewClient
from idp.clients.service import add_partner, register_client
from idp.upkeep import turn_keys
from tests.support.proving import BOTH
from tests.support.settled import footprint
from tests.support.town import CALLBACK, ISSUER, START, Proof, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.town import Partner, Town

EVERY = ("RS256", "ES256", "PS256", "EdDSA")


@pytest.fixture
def more(database_url: str, tmp_path: Path) -> Iterator[Town]:
    """A town that signs with everything it can."""
    keys = {"file": tmp_path / "denizen.key", "algorithms": EVERY}
    made = make_town(database_url, tmp_path, keys=keys)
    yield made
    made.context.database.close()


def _client(town: Town, alg: str, **more: Any) -> Partner:
    new = NewClient(
        f"Service {alg}",
        (CALLBACK,),
        client_id=f"by-{alg.lower()}",
        scopes=("openid", "email", "offline_access"),
        id_token_signed_response_alg=alg,
        **{"grant_types": BOTH, **more},
    )
    with town.context.database.transaction() as session:
        partner = add_partner(session, "Riverton", now=START)
        secret = register_client(session, partner, new, now=START, algorithms=town.settings.keys.algorithms)
    town.fresh()
    return replace(town.library, client_id=new.client_id, secret=secret)


def _verified(town: Town, id_token: str, alg: str) -> dict[str, Any]:
    published = town.app.test_client().get("/jwks", base_url=ISSUER).json
    header = jws.extract_compact(id_token.encode()).headers()
    (key,) = [one for one in KeySet.import_key_set(published).keys if one.kid == header["kid"]]
    head, body, signature = id_token.split(".")
    verifier = JWSRegistry.algorithms[alg]
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert header["alg"] == alg
    assert verifier.verify(f"{head}.{body}".encode(), raw, key)
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_every_algorithm_signs_and_is_believed_again(more: Town) -> None:
    """ID tokens verify with the published key; at_hash has the algorithm's hash; the token is a hint of ours."""
    listed = more.app.test_client().get("/.well-known/openid-configuration", base_url=ISSUER).json
    assert listed["id_token_signing_alg_values_supported"] == list(EVERY)
    for alg in EVERY:
        partner, proof, browser = _client(more, alg), Proof(), more.browser()
        browser.sign_in(more.maria)
        code = browser.code(partner, more.maria, "openid", proof)
        tokens = more.redeem(partner, code, proof).json
        claims = _verified(more, tokens["id_token"], alg)
        function = hashlib.sha512 if alg == "EdDSA" else hashlib.sha256
        digest = function(tokens["access_token"].encode()).digest()
        half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
        assert claims["at_hash"] == half
        again = browser.authorize(partner, "openid", Proof(), prompt="none", id_token_hint=tokens["id_token"])
        assert "code=" in again.headers["Location"], alg
        forged = tokens["id_token"][:-8] + (
            "AAAAAAAA" if tokens["id_token"][-8:] != "AAAAAAAA" else "BBBBBBBB"
        )
        refused = browser.authorize(partner, "openid", Proof(), prompt="none", id_token_hint=forged)
        assert "code=" not in refused.headers["Location"]


@pytest.mark.parametrize("alg", ["PS256", "EdDSA", "HS256", "none"])
def test_what_is_not_there_is_neither_listed_nor_registered(town: Town, alg: str) -> None:
    """A village has two kinds of keys, and promises no third."""
    listed = town.app.test_client().get("/.well-known/openid-configuration", base_url=ISSUER).json
    for name in ("id_token", "userinfo", "introspection", "authorization"):
        assert listed[f"{name}_signing_alg_values_supported"] == ["RS256", "ES256"]
    with pytest.raises(ClientRefused, match="must be one of ES256, RS256"):
        _client(town, alg)


def test_an_algorithm_that_is_taken_out_signs_no_more(more: Town, tmp_path: Path) -> None:
    """The client is told so and gets no token; others notice nothing; the log has it."""
    from consent.models import LogEntry

    partner = _client(more, "PS256")
    fewer = make_town_again(more, tmp_path, ("RS256", "ES256"))
    turn_keys(fewer.context, now=int(fewer.clock()))
    fewer.fresh()
    published = fewer.app.test_client().get("/jwks", base_url=ISSUER).json["keys"]
    assert [key["alg"] for key in published].count("PS256") == 1, "what it signed can still be checked"
    assert "key_withdrawn" in {row.kind for row in fewer.rows(LogEntry)}
    proof = Proof()
    code = fewer.browser().code(partner, fewer.maria, "openid", proof)
    answer = fewer.redeem(partner, code, proof)
    assert answer.status_code == 400
    assert answer.json["error"] == "unauthorized_client"
    assert fewer.tokens(fewer.library, fewer.maria)["id_token"]


def test_where_nothing_signs_an_access_token_none_is_made(more: Town, tmp_path: Path) -> None:
    """A JWT for an API (RFC 9068): the client is told `invalid_target` at the token endpoint, and nothing is spent for it."""
    partner = _client(
        more, "PS256", grant_types=(*BOTH, "client_credentials"), details=Details(access_token_format="jwt")
    )
    own = {"grant_type": "client_credentials"}
    assert more.call("/token", partner, own).status_code == 200
    fewer = make_town_again(more, tmp_path, ("RS256", "ES256"))
    turn_keys(fewer.context, now=int(fewer.clock()))
    fewer.fresh()
    proof = Proof()
    code = fewer.browser().code(partner, fewer.maria, "openid email", proof)
    before = footprint(fewer)
    for answer in (fewer.call("/token", partner, own), fewer.redeem(partner, code, proof)):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
        assert "PS256" in answer.json["error_description"]
    assert footprint(fewer) == before
    turn_keys(more.context, now=int(more.clock()))
    more.fresh()
    assert more.redeem(partner, code, proof).status_code == 200
    fewer.context.database.close()


def make_town_again(town: Town, folder: Path, algorithms: tuple[str, ...]) -> Town:
    """The same town after its settings changed."""
    from idp.app import create_app, open_context
    from idp.settings import Settings

    values = town.settings.model_dump()
    values["keys"]["algorithms"] = algorithms
    context = open_context(Settings(**values), clock=town.clock, checkpoints=False)
    return replace(town, settings=context.settings, context=context, app=create_app(context))
