"""`[upstream]`: what an operator may write, and that docs/settings.md says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from idp.settings import Settings
from idp.settings.upstream import UpstreamProvider
from tests.house.repository import ROOT

GOOD: dict[str, Any] = {
    "id": "neighbour",
    "names": {"en": "Neighbouring town", "fr": "La ville voisine"},
    "issuer": "https://id.neighbour.example",
    "client_id": "riverton",
    "client_secret": "secret",
}


def settings(
    *providers: dict[str, Any], issuer: str = "https://id.riverton.example", **more: Any
) -> Settings:
    return Settings(
        server={"issuer": issuer, "staff_url": "http://staff.localhost:8400"},
        town={"name": "Riverton", "contact_email": "help@riverton.example"},
        upstream={"providers": providers},
        **more,
    )


def test_a_provider_is_a_table() -> None:
    """Everything else has a careful default: one scope, the lowest level, no new accounts, no trusted addresses."""
    one = settings(GOOD).upstream.providers[0]
    assert (one.scopes, one.levels, one.other_levels, one.newcomers) == (("openid",), {}, "basic", "link")
    assert (one.trust_email, one.ask_anew) == (False, True)
    assert (one.name_in("fr"), one.name_in("de")) == ("La ville voisine", "Neighbouring town")
    assert "secret'" not in repr(one)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "Neighbour"}, "lower-case"),
        ({"id": "../x"}, "lower-case"),
        ({"id": "x" * 33}, "lower-case"),
        ({"issuer": "http://id.neighbour.example"}, "https"),
        ({"issuer": "https://id.neighbour.example?x=1"}, "https"),
        ({"issuer": "https://me@id.neighbour.example"}, "https"),
        ({"issuer": "id.neighbour.example"}, "https"),
        ({"issuer": "https://id.riverton.example"}, "the town itself"),
        ({"issuer": "http://localhost:8412"}, "allow_loopback"),
        ({"scopes": ["profile"]}, "openid"),
        ({"client_secret": ""}, "needs client_secret"),
        ({"private_key_file": "key.pem"}, "no private_key_file"),
        ({"authentication": "private_key_jwt"}, "needs private_key_file"),
        ({"authentication": "none"}, "authentication"),
        ({"levels": {"eidas1": "high"}}, "levels"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"claims": {"given_name": "district"}}, "claims"),
        ({"claims": {"given_name": "email"}}, "claims"),
        ({"names": {}}, "names"),
        ({"newcomers": "anybody"}, "newcomers"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_mistake_is_named(change: dict[str, Any], said: str) -> None:
    """What could not work, or would be unsafe, is refused when the settings are read."""
    with pytest.raises(ValueError, match=said):
        settings({**GOOD, **change})


@pytest.mark.parametrize("same", ["id", "issuer"])
def test_two_providers_are_told_apart(same: str) -> None:
    """By their ids in addresses and the database, and by their issuers."""
    other = {**GOOD, "id": "other", "issuer": "https://other.example", same: GOOD[same]}
    with pytest.raises(ValueError, match=f"the same {same}"):
        settings(GOOD, other)


def test_a_provider_on_this_machine_needs_the_switch() -> None:
    """Plain http is for trials on one machine."""
    local = {**GOOD, "issuer": "http://localhost:8412"}
    allowed = settings(local, issuer="http://localhost:8400", testing={"allow_loopback": True})
    assert allowed.upstream.providers[0].issuer == "http://localhost:8412"


def test_providers_can_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the secret need not stand in the file."""
    monkeypatch.setenv("DENIZEN_UPSTREAM__PROVIDERS", json.dumps([GOOD]))
    assert settings().upstream.providers[0].client_secret == "secret"


def test_every_setting_of_a_provider_is_documented() -> None:
    """docs/settings.md: its name, and its own sentence."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    part = page.partition("## [upstream]")[2].partition("\n## [")[0]
    missing = [
        name
        for name, field in UpstreamProvider.model_fields.items()
        if f"| `{name}` |" not in part or (field.description or "its description") not in part
    ]
    assert not missing
