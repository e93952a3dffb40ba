"""K32: a form sets the fields it shows, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from idp.accounts.models import Attribute, ContactPoint, Resident
from idp.accounts.service import read_attributes
from idp.login.models import BrowserSession
from idp.messaging.models import Message
from tests.support.told import told
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.town import Town

PRIVILEGED: dict[str, Any] = {
    "role": "officer",
    "roles": "officer",
    "is_admin": "1",
    "admin": "true",
    "state": "closed",
    "id": "x" * 22,
    "resident_id": "x" * 22,
    "email": "evil@evil.example",
    "email_verified": "true",
    "verified_at": "1",
    "verified": "true",
    "ial": "3",
    "acr": "high",
    "amr": "hwk",
    "proofed_by": "clerk",
    "source": "register",
    "birthdate": "1950-01-01",
    "resident": "true",
    "district": "1",
    "locale": "xx",
    "language": "xx",
    "sub": "x",
    "data_key": "x",
    "created_at": "1",
    "attributes": '{"resident": true}',
    "__class__": "x",
}


def confirmation_link(town: Town) -> str:
    """The path of the link in the newest mail."""
    return told(town, "confirm_sign_up")[-1].link


def test_signing_up_sets_what_the_page_asks_and_nothing_more(town: Town) -> None:
    """CVE-2026-54693: no field of the account can be slipped into the form."""
    browser = town.browser()
    browser.get("/signup")
    browser.submit("/signup", **{**PRIVILEGED, "email": "noor@example.org"})
    browser.get(confirmation_link(town))
    typed = {"given_name": "Noor", "username": "noor", "password": "eleven grey herons waiting"}
    assert browser.submit("/signup/confirm", **PRIVILEGED, **typed).status_code == 303
    with town.context.database.reading() as session:
        known = {town.maria.resident_id, town.jun.resident_id}
        (noor,) = (one for one in session.execute(select(Resident)).scalars() if one.id not in known)
        assert (noor.state, noor.language) == ("active", "en")
        assert noor.id != PRIVILEGED["id"]
        facts = read_attributes(session, town.context.vault, noor)
        sources = session.execute(
            select(Attribute.name, Attribute.source, Attribute.verified_at).where(
                Attribute.resident_id == noor.id
            )
        ).all()
        contacts = list(
            session.execute(select(ContactPoint).where(ContactPoint.resident_id == noor.id)).scalars()
        )
    now = int(town.clock())
    assert facts == {
        "given_name": "Noor",
        "preferred_username": "noor",
        "email": "noor@example.org",
        "locale": "en",
    }
    assert {tuple(row) for row in sources} == {
        ("given_name", "self", None),
        ("preferred_username", "self", None),
        ("locale", "self", None),
        ("email", "mail", now),
    }
    assert [(one.kind, one.signs_in, one.verified_at) for one in contacts] == [("email", True, now)]


def test_signing_in_sets_no_level_method_or_person(town: Town) -> None:
    """What a session proves is what was proved, whatever the form says."""
    browser = town.browser()
    browser.get("/login")
    browser.submit("/login", **{**PRIVILEGED, "username": "maria", "password": town.maria.password})
    (session,) = town.rows(BrowserSession)
    assert (session.resident_id, session.acr, session.amr) == (town.maria.resident_id, "basic", "pwd")
    assert session.created_at == int(town.clock())


def test_signing_in_leads_only_to_pages_of_ours(town: Town) -> None:
    """The hidden field `next` is no redirector."""
    targets = [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/account/../../evil",
        "/account//evil.example",
        "/account?next=//evil",
        "/logout",
        "javascript:alert(1)",
        "/account\r\nX: y",
        "/authorize?client_id=x",
        "https:evil.example",
        "/privacyx",
    ]
    for target in targets:
        browser = town.browser()
        browser.get("/login")
        answer = browser.submit("/login", username="maria", password=town.maria.password, next=target)
        assert answer.headers["Location"] in ("/account", "/account/../../evil"), target
        # A path below /account stays on this host, whatever a browser makes of its dots.
        assert "evil.example" not in answer.headers["Location"], target


def test_a_json_body_is_no_form(town: Town) -> None:
    """A page's POST is read as a form or not at all, so JSON cannot carry what a form could not."""
    browser = town.browser()
    browser.get("/signup")
    before = [town.rows(model) for model in (Resident, Message)]
    for path in ("/signup", "/signup/confirm", "/login", "/consent", "/account/devices/x/end"):
        answer = browser.http.post(path, json={**PRIVILEGED, "email": "noor@example.org"}, base_url=ISSUER)
        assert answer.status_code == 403, path
    assert len(town.rows(Resident)) == len(before[0])
    assert town.rows(Message) == []
