"""K16: what a grant stood on has ended, so its tokens have, everywhere; and nobody asks about foreign tokens."""

from __future__ import annotations

import base64
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from joserfc.jwk import ECKey
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.clients.metadata import DEVICE_GRANT
from idp.clients.service import NewClient, disable_client
from idp.recovery.ending import credentials_changed
from tests.support.devices import Device, allow, begin
from tests.support.nodes import another_node
from tests.support.proving import dpop
from tests.support.settled import SCOPE, footprint
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.front import Front
    from tests.support.proving import Proving
    from tests.support.settled import Settled
    from tests.support.town import Partner, Town

INACTIVE = b'{"active":false}'
FULL = f"{SCOPE} tax:read"


def _withdraw(town: Town, client_id: str = "library") -> None:
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get(f"/privacy/services/{client_id}")
    answer = browser.submit(f"/privacy/services/{client_id}/withdraw")
    assert (answer.status_code, answer.location) == (303, f"/privacy/services/{client_id}/withdrawn")


def _set_state(town: Town, state: str) -> None:
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(state=state))


def _destroy_key(town: Town) -> None:
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(data_key=None))


def _reset_password(town: Town) -> None:
    with town.context.database.transaction() as session:
        credentials_changed(session, town.maria.resident_id, keep_session=None, now=int(town.clock()))


ENDINGS: dict[str, Callable[[Town], Any]] = {
    "consent withdrawn": _withdraw,
    "password reset": _reset_password,
    "account frozen": lambda town: _set_state(town, "frozen"),
    "account closed": lambda town: _set_state(town, "closed"),
}


def _assert_ends(town: Town, partner: Partner, tokens: dict[str, Any], ending: Callable[[Town], Any]) -> None:
    """Alive on every node, and after the ending dead on every one at once."""
    with another_node(town) as other:
        for node in (town, other):
            assert node.userinfo(tokens["access_token"]).status_code == 200
            assert node.introspect(town.service, tokens["access_token"]).json["active"] is True
        ending(town)
        for node in (other, town):
            _assert_dead(node, partner, tokens)


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_tokens_die_with_what_they_stood_on_on_every_node_at_once(
    town: Town, ending: Callable[[Town], Any]
) -> None:
    """CVE-2026-43983, CVE-2026-18208: refresh, userinfo and introspection, with no delay at all."""
    tokens = town.tokens(town.library, town.maria, FULL)
    _assert_ends(town, town.library, tokens, ending)


def test_a_client_that_is_switched_off_is_dead_within_a_second_on_every_node(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other nodes keep clients in memory for a second at most; then its tokens say nothing to anyone."""
    tokens = town.tokens(town.library, town.maria, FULL)
    with another_node(town) as other:
        assert other.introspect(town.service, tokens["access_token"]).json["active"] is True
        with town.context.database.transaction() as session:
            disable_client(session, "library", now=int(town.clock()))
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 1.0)
        monkeypatch.setattr("idp.jobs.stamps.time", later)
        for node in (town, other):
            assert node.userinfo(tokens["access_token"]).status_code == 401
            for token in (tokens["access_token"], tokens["refresh_token"]):
                assert node.introspect(town.service, token).data == INACTIVE
                assert node.introspect(town.library, token).json["error"] == "invalid_client"
            answer = node.refresh(town.library, tokens["refresh_token"])
            assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


@pytest.fixture
def kiosk(town: Town) -> Partner:
    """A device whose client has a secret, so that it can ask about its tokens itself."""
    grants = (DEVICE_GRANT, "refresh_token")
    made = town.add_client(
        NewClient("Kiosk", client_id="kiosk", grant_types=grants, scopes=tuple(FULL.split())),
        required=("name",),
        optional=("email",),
    )
    town.fresh()
    return made


def _switch_off(town: Town) -> None:
    with town.context.database.transaction() as session:
        disable_client(session, "kiosk", now=int(town.clock()))


_OF_A_DEVICE = ENDINGS | {"consent withdrawn": lambda town: _withdraw(town, "kiosk")}


@pytest.mark.parametrize("ending", _OF_A_DEVICE.values(), ids=_OF_A_DEVICE)
def test_tokens_of_a_device_die_as_well(town: Town, kiosk: Partner, ending: Callable[[Town], Any]) -> None:
    """RFC 8628: nobody signs out there, so nothing but what they stood on can end them."""
    device = begin(town, kiosk, FULL)
    allow(town.browser(), device)
    tokens = device.tokens()
    _assert_ends(town, kiosk, tokens, ending)


def test_tokens_of_a_device_die_with_its_client(
    town: Town, kiosk: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a second on every node, as those of all others."""
    device = begin(town, kiosk, FULL)
    allow(town.browser(), device)
    tokens = device.tokens()
    with another_node(town) as other:
        assert other.introspect(town.service, tokens["access_token"]).json["active"] is True
        _switch_off(town)
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 1.0)
        monkeypatch.setattr("idp.jobs.stamps.time", later)
        for node in (town, other):
            assert node.userinfo(tokens["access_token"]).status_code == 401
            for token in (tokens["access_token"], tokens["refresh_token"]):
                assert node.introspect(town.service, token).data == INACTIVE
            assert node.refresh(kiosk, tokens["refresh_token"]).json["error"] == "invalid_client"


@pytest.mark.parametrize("ending", _OF_A_DEVICE.values(), ids=_OF_A_DEVICE)
def test_a_device_that_was_allowed_before_the_end_gets_nothing_after_it(
    town: Town, kiosk: Partner, ending: Callable[[Town], Any]
) -> None:
    """Between the answer of the resident and the next poll there is no gap either, on any node."""
    device = begin(town, kiosk, FULL)
    allow(town.browser(), device)
    ending(town)
    with another_node(town) as other:
        for node in (other, town):
            answer = Device(node, kiosk, device.told).poll()
            assert answer.status_code == 400
            assert "access_token" not in answer.json
            town.clock.advance(10)


def test_an_erased_residents_tokens_give_nothing(town: Town) -> None:
    """Without its data key an account cannot be read: no new tokens, no userinfo, and no error of ours."""
    tokens = town.tokens(town.library, town.maria, FULL)
    _destroy_key(town)
    assert town.userinfo(tokens["access_token"]).status_code == 401
    answer = town.refresh(town.library, tokens["refresh_token"])
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


def _assert_dead(node: Town, owner: Partner, tokens: dict[str, Any]) -> None:
    assert node.userinfo(tokens["access_token"]).status_code == 401
    for asker in (owner, node.service):
        for token in (tokens["access_token"], tokens["refresh_token"]):
            answer = node.introspect(asker, token)
            assert (answer.status_code, answer.data) == (200, INACTIVE)
    answer = node.refresh(owner, tokens["refresh_token"])
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


def test_tokens_of_the_front_channel_die_as_well(front: Front) -> None:
    """Profile legacy: nobody redeems them, so nothing but their use can see it."""
    given = front.told("old", response_type="id_token token", nonce="n").values["access_token"]
    beside = front.told("old", response_type="code token", nonce="n").values["access_token"]
    for state, status in (
        ("active", 200),
        ("frozen", 401),
        ("active", 200),
        ("closed", 401),
        ("active", 200),
    ):
        _set_state(front.town, state)
        for token in (given, beside):
            assert front.town.userinfo(token).status_code == status


def test_tokens_of_fapi_clients_die_as_well(proving: Proving) -> None:
    """Bound to a key, and refreshed without rotation."""
    prover, proof, now = proving.provers["fapi"], Proof(), int(proving.now)
    key = ECKey.generate_key("P-256")
    code = {"grant_type": "authorization_code", "code": proving.pushed_code(prover, proof)}
    form = {**code, "redirect_uri": prover.partner.redirect_uri, "code_verifier": proof.verifier}

    def post(form: dict[str, str]) -> Any:
        return proving.post("/token", prover.form(now, form), {"DPoP": dpop(key, now=now)})

    tokens = post(form).json
    access = tokens["access_token"]
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for state, status in (("active", 200), ("frozen", 401), ("active", 200)):
        _set_state(proving.town, state)
        own = dpop(key, now=now, path="/userinfo", method="GET", token=access)
        assert proving.userinfo({"Authorization": f"DPoP {access}", "DPoP": own}).status_code == status
        answer = post(refresh)
        assert (answer.status_code == 200) is (state == "active"), answer.json


def test_a_code_given_before_the_end_gives_nothing_after_it(town: Town) -> None:
    """The minute between code and token is no gap: the grant is read again when the code is redeemed."""
    for ending in (_withdraw, lambda town: _set_state(town, "frozen")):
        proof = Proof()
        code = town.browser().code(town.library, town.maria, FULL, proof)
        ending(town)
        answer = town.redeem(town.library, code, proof)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("accept", ["application/json", "application/token-introspection+jwt"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token", "id_token", "unheard of"])
def test_a_stranger_learns_nothing_by_introspection(settled: Settled, kind: str, accept: str) -> None:
    """RFC 7662 §4, CVE-2026-37979: the same bytes for a live token, a dead one and none; in any form."""
    town = settled.town
    token = settled.tokens(town.library).get(kind, "x" * 43)
    before = footprint(town)
    for stranger in (town.tax, town.service):
        for hint in ("access_token", "refresh_token", "fish"):
            form = {"token": token, "token_type_hint": hint}
            answer = town.call("/introspect", stranger, form, headers={"Accept": accept})
            assert (answer.status_code, answer.mimetype) == (200, accept)
            assert _said(answer.data, accept, stranger.client_id) == INACTIVE
    assert footprint(town) == before


def _said(body: bytes, kind: str, audience: str) -> bytes:
    """What an answer says of the token; a signed one names us and who asked besides, and nothing more (RFC 9701 §5)."""
    if kind == "application/json":
        return body
    payload = body.decode().split(".")[1]
    told = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    said = orjson.dumps(told.pop("token_introspection"))
    assert (told.pop("iss"), told.pop("aud"), set(told)) == (ISSUER, audience, {"iat"})
    return said


def test_a_public_client_and_the_public_cannot_introspect_at_all(settled: Settled) -> None:
    """RFC 7662 §2.1: the endpoint MUST require authorization."""
    town = settled.town
    token = settled.tokens(town.public)["access_token"]
    assert town.introspect(town.public, token).status_code == 401
    answer = town.app.test_client(use_cookies=False).post(
        "/introspect", data={"token": token}, base_url=ISSUER
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("stranger", ["tax", "public", "service"])
def test_revoking_another_clients_token_has_no_effect(settled: Settled, stranger: str, kind: str) -> None:
    """RFC 7009 §2.1, CVE-2024-47077; the answer does not tell that there was one."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    answer = town.call("/revoke", getattr(town, stranger), {"token": tokens[kind]})
    nothing = town.call("/revoke", getattr(town, stranger), {"token": "x" * 43})
    assert (answer.status_code, answer.data) == (nothing.status_code, nothing.data) == (200, b"")
    assert footprint(town) == before
    assert all(settled.is_alive(town.library, tokens).values())


def test_what_is_not_offered_is_not_there(settled: Settled) -> None:
    """A feature that is absent is absent: not in discovery, and its address is 404 (CIBA, federation, …)."""
    client = settled.town.app.test_client()
    offered = client.get("/.well-known/openid-configuration", base_url=ISSUER).json
    for name, path in {
        "backchannel_authentication_endpoint": "/bc-authorize",
        "federation_registration_endpoint": "/federation/register",
        "credential_endpoint": "/credential",
    }.items():
        assert name not in offered
        for method in ("GET", "POST"):
            assert client.open(path, method=method, base_url=ISSUER).status_code == 404
    assert "registration_endpoint" not in offered
    refused = client.post("/register", json={"redirect_uris": ["https://rp.example/cb"]}, base_url=ISSUER)
    assert refused.status_code in (401, 403)
