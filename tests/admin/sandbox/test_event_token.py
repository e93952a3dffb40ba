"""What a partner app makes of security events: it believes its own town, about itself, and nobody else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from admin.sandbox.event_token import NotAnEvent, SecurityEvent, confirm, security_event
from tests.support.proving import jwks, key_for, sign

ISSUER, CLIENT = "https://id.riverton.example", "riverton-library"
KEY = key_for("ES256", "town")
SAID = {
    "claims": ["email"],
    "purposes": ["news"],
    "partial": False,
    "confirm_at": f"{ISSUER}/consent/confirmations",
}


def claims(**change: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "iss": ISSUER, "aud": CLIENT, "iat": int(time.time()), "jti": "j", "txn": "t",
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "s"},
        "events": {f"{ISSUER}/events/consent-withdrawn": SAID},
    } | change  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def read(said: dict[str, Any], key: Any = KEY, **header: Any) -> SecurityEvent | None:
    head = {"alg": "ES256", "typ": "secevent+jwt", "kid": KEY.kid, **header}
    return security_event(sign(said, key, head), lambda: jwks(KEY), issuer=ISSUER, client_id=CLIENT)


def test_everything_or_single_data_is_to_be_forgotten() -> None:
    where = SAID["confirm_at"]
    assert read(claims()) == SecurityEvent("s", "t", None, where)
    partial = {f"{ISSUER}/events/consent-withdrawn": {**SAID, "partial": True}}
    assert read(claims(events=partial)) == SecurityEvent("s", "t", ("email",), where)


def test_what_asks_nothing_is_passed_over() -> None:
    """The end of a session is told by a logout token here; an event that is not known asks for nothing."""
    caep = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
    assert read(claims(events={caep: {}})) is None
    assert read(claims(events={f"{ISSUER}/events/data-rectified": SAID})) is None


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "riverton-tax"},
        {"jti": None},
        {"txn": None},
        {"iat": None},
        {"sub_id": None},
        {"sub_id": {"format": "email", "email": "a@b.example"}},
        {"sub_id": {"format": "iss_sub", "iss": "https://evil.example", "sub": "s"}},
        {"events": None},
        {"events": "x"},
        {"events": {f"{ISSUER}/events/consent-withdrawn": None}},
    ],
)
def test_an_event_that_is_not_for_it_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotAnEvent):
        read(claims(**change))


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "logout+jwt"}])
def test_another_kind_of_token_is_no_event(header: dict[str, Any]) -> None:
    """RFC 8417 §4.1: an ID token or a logout token must not pass for one."""
    with pytest.raises(NotAnEvent):
        read(claims(), **header)


def test_a_foreign_key_is_refused() -> None:
    with pytest.raises(NotAnEvent):
        read(claims(), key=key_for("ES256", "thief"))
    for text in ("", "x", "a.b.c"):
        with pytest.raises(NotAnEvent):
            security_event(text, lambda: jwks(KEY), issuer=ISSUER, client_id=CLIENT)


def test_its_secret_goes_to_its_town_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that names another place to confirm at is confirmed nowhere."""
    asked: list[str] = []
    monkeypatch.setattr("requests.Session.post", lambda _self, url, **_: asked.append(url))
    for where in ("https://evil.example/consent", f"{ISSUER}.evil.example/consent"):
        event = SecurityEvent("s", "t", None, where)
        confirm(event, issuer=ISSUER, client_id=CLIENT, client_secret="secret")
    assert asked == []
