"""Logs name nobody and open nothing: the whole job with every logger at its most talkative, and not one secret in it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from idp.jobs.worker import Worker
from idp.upkeep import jobs
from tests.support.faults import fault
from tests.support.told import told
from tests.support.town import Proof, choices, code_of, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.smtp import Mailbox
    from tests.support.town import Town


class Everything(logging.Handler):
    """Keeps each line as it would be written, stack traces and all."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("mail."):  # the test's own mail server
            self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged while every logger says all it can, SQL and its values included."""
    root, handler = logging.getLogger(), Everything()
    names = [name for name, one in logging.root.manager.loggerDict.items() if isinstance(one, logging.Logger)]
    before = {name: logging.getLogger(name).level for name in names}
    level = root.level
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name in ("", "sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm", "denizen"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)
    for name in [*names, "sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm", "denizen"]:
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))
    root.setLevel(level)


@pytest.fixture
def town(lines: list[str], database_url: str, tmp_path: Path, smtp: Mailbox) -> Iterator[Town]:
    """A town made after the loggers were opened, because some decide then whether to speak."""
    mail = {"host": smtp.host, "port": smtp.port, "security": "none"}
    made = make_town(database_url, tmp_path, hot=False, mail=mail)
    yield made
    made.context.database.close()


SIGN_UP = {
    "given_name": "Quetzalia",
    "family_name": "Zwickelmeyer",
    "username": "quetzy.z",
    "password": "eleven grey herons waiting",
}
ADDRESS = "quetzalia.zw@example.org"


def sign_up(town: Town, secrets: dict[str, str]) -> None:
    browser = town.browser()
    browser.get("/signup")
    browser.submit("/signup", email=ADDRESS)
    (mail,) = told(town, "confirm_sign_up")
    secrets["sign-up link"] = re.findall(r"token=([\w-]+)", mail.link)[0]
    browser.get(mail.link)
    browser.submit("/signup/confirm", **{**SIGN_UP, "password": "short"})
    assert browser.submit("/signup/confirm", **SIGN_UP).status_code == 303
    secrets["new session"] = cookie(browser, "__Host-denizen-session")
    secrets.update({f"typed {name}": value for name, value in SIGN_UP.items()}, address=ADDRESS)


def cookie(browser: Any, name: str) -> str:
    found = browser.http.get_cookie(name, domain="id.riverton.example")
    assert found is not None
    return str(found.value)


def the_main_job(town: Town, secrets: dict[str, str]) -> None:
    """Sign-in, release, code, tokens, everything that is asked with them, refresh, revocation, logout."""
    browser, proof, maria = town.browser(), Proof(), town.maria
    scope = "openid profile email offline_access"
    hint = {"login_hint": "hinted.person@example.org"}
    answer = browser.follow(browser.authorize(town.library, scope, proof, **hint))
    secrets["flow"] = re.findall(r'name="flow" value="([\w-]+)"', answer.text)[0]
    secrets["form token"] = re.findall(r'name="csrf_token" value="(\w+)"', answer.text)[0]
    browser.submit("/login", username=maria.username, password="a wrong guess of hers")
    answer = browser.follow(browser.submit("/login", username=maria.username, password=maria.password))
    answer = browser.follow(browser.allow(share=choices(answer.text)))
    secrets.update(hint, code=code_of(answer), verifier=proof.verifier, guess="a wrong guess of hers")
    secrets["session"], secrets["browser"] = (
        cookie(browser, f"__Host-denizen-{n}") for n in ("session", "browser")
    )
    tokens = town.redeem(town.library, secrets["code"], proof).json
    fresh = town.refresh(town.library, tokens["refresh_token"]).json
    for name in ("access_token", "refresh_token", "id_token"):
        secrets[name], secrets[f"fresh {name}"] = tokens[name], fresh[name]
    claims = town.userinfo(fresh["access_token"]).json
    secrets["subject"] = claims["sub"]
    for one in (fresh["access_token"], fresh["refresh_token"]):
        assert town.introspect(town.library, one).json["active"] is True
    own = town.call("/token", town.service, {"grant_type": "client_credentials"}).json
    secrets["service token"] = own["access_token"]
    browser.get("/privacy/services/library")
    browser.submit("/privacy/services/library/withdraw")
    assert town.userinfo(fresh["access_token"]).status_code == 401
    browser.get("/account")
    browser.get(f"/logout?id_token_hint={fresh['id_token']}")


def the_failures(town: Town, secrets: dict[str, str]) -> None:
    """Replays, wrong secrets, forged forms, and a database that is away at every step."""
    proof = Proof(secrets["verifier"])
    town.redeem(town.library, secrets["code"], proof)
    town.refresh(town.library, secrets["refresh_token"])
    town.introspect(town.tax, secrets["access_token"])
    town.call("/revoke", town.library, {"token": secrets["fresh refresh_token"]})
    wrong = town.library.__class__(
        "library", "a-wrong-client-secret", town.library.method, town.library.redirect_uri
    )
    secrets["wrong secret"] = "a-wrong-client-secret"
    town.redeem(wrong, secrets["code"], proof)
    browser = town.browser()
    browser.post("/login", {"username": town.maria.email, "password": town.maria.password})
    browser.get(f"/authorize?client_id=none&state={secrets['flow']}&login_hint={ADDRESS}")
    browser.get(f"/signup/confirm?token={secrets['sign-up link']}")
    browser.get(f"/nothing/{'x' * 10}?code={secrets['code']}")
    form = {"username": town.maria.email, "password": town.maria.password}
    browser.get("/login")
    with fault(town.context.database, "gone"):
        browser.submit("/login", **form)
        town.userinfo(secrets["fresh access_token"])
        town.redeem(town.library, secrets["code"], proof)
    browser.get("/login")
    with fault(town.context.database, "read-only"):
        browser.submit("/login", **form)


def test_no_secret_and_no_person_is_ever_logged(
    town: Town, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 16.2.5: passwords, codes, tokens, cookies, links, addresses and names, in success and in failure."""
    secrets: dict[str, str] = {}
    sign_up(town, secrets)
    the_main_job(town, secrets)
    Worker(town.context.database, jobs(town.context), town.clock).run_due(int(town.clock()))
    the_failures(town, secrets)
    with monkeypatch.context() as patch:
        patch.setattr("idp.oidc.service.mint", lambda *_, **__: 1 / 0)
        answer = town.call("/token", town.service, {"grant_type": "client_credentials"})
        assert answer.status_code == 500
    for partner in (town.library, town.tax, town.service):
        secrets[f"secret of {partner.client_id}"] = str(partner.secret)
    for person in (town.maria, town.jun):
        secrets |= {f"{person.username} {n}": getattr(person, n) for n in ("email", "password", "username")}
    secrets |= {"family name": "Okafor", "given name": "Maria"}
    key = town.settings.keys.file.read_text()
    secrets |= {f"key file {n}": word for n, word in enumerate(re.findall(r"[\w+/=-]{40,}", key))}
    text = "\n".join(lines)
    assert "denizen.oidc" in text
    assert "INSERT INTO oidc_" in text, "SQL is not logged, so its values were not looked at"
    assert "Traceback" in text, "the failure was not logged at all"
    found = {name for name, secret in secrets.items() if secret in text or repr(secret)[1:-1] in text}
    assert len(secrets) > 30
    assert not found, [line[:300] for line in lines if any(secrets[name] in line for name in found)][:5]
