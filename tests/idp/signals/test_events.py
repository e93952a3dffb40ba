"""Security events (RFC 8417, RFC 8935): a partner is told what a resident has decided, and says what it has done."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import text

from consent import acts
from consent.withdrawals import service as withdrawals
from idp.clients.metadata import ClientRefused, Details, NewClient, check
from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.login.models import BrowserSession
from idp.oidc.models import Grant
from idp.signals import events
from idp.signals.models import Delivery
from idp.upkeep import rotate_keys
from tests.support.town import ISSUER, Partner, Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consent.withdrawals.rules import Matter
    from tests.idp.signals.telling import Telling
    from tests.support.town import Browser

SCOPE = "openid profile email offline_access"
WITHDRAWN = f"{ISSUER}/events/consent-withdrawn"

#: What the settings say where a town says nothing.
_CONFIRM_WITHIN = 14 * 86_400


@dataclass
class Shop:
    """A partner with an address for events at pool.example; what it was sent, and how it answers."""

    telling: Telling
    partner: Partner
    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def respond(
        self, _method: str, path: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.sent.append((path, {name.lower(): value for name, value in headers.items()}, body))
        return (self.statuses.pop(0) if self.statuses else 202), {}, b""

    def deliver(self, after: float = 1) -> list[dict[str, Any]]:
        """The events that arrive, ours first, verified with the published keys and nothing else."""
        before = len(self.sent)
        self.telling.deliver(after)
        found = [self.verified(body) for path, _, body in self.sent[before:] if path == "/events"]
        return sorted(found, key=lambda one: events.SESSION_REVOKED in one["events"])

    def verified(self, body: bytes) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.telling.town.app.test_client().get("/jwks").json)
        token = jwt.decode(body.decode(), keys, algorithms=["ES256"])
        assert token.header["typ"] == "secevent+jwt"
        return dict(token.claims)

    def visit(self, share: list[str] | None = None) -> tuple[Browser, dict[str, Any]]:
        """Maria signs in there and agrees; her browser and the shop's tokens."""
        town, proof = self.telling.town, Proof()
        browser = town.browser()
        code = browser.code(self.partner, town.maria, SCOPE, proof)
        return browser, town.redeem(self.partner, code, proof).json

    @property
    def matter(self) -> Matter:
        """The last thing it was told."""
        town = self.telling.town
        with town.context.database.reading() as session:
            return withdrawals.of_client(session, town.maria.resident_id, self.partner.client_id)[0]


def withdraw(browser: Browser, client_id: str = "shop") -> None:
    browser.get(f"/privacy/services/{client_id}")
    answer = browser.submit(f"/privacy/services/{client_id}/withdraw")
    assert answer.location == f"/privacy/services/{client_id}/withdrawn"


def add_shop(telling: Telling, **more: str) -> Partner:
    uris = {name: f"https://pool.example:{telling.server.server_port}{path}" for name, path in more.items()}
    new = NewClient(
        "Shop",
        ("https://shop.example/cb",),
        client_id="shop",
        grant_types=("authorization_code", "refresh_token"),
        scopes=("openid", "profile", "email", "offline_access"),
        details=Details(**uris),
    )
    return telling.town.add_client(new, basis="consent", required=("name",), optional=("email",))


@pytest.fixture
def shop(telling: Telling) -> Iterator[Shop]:
    made = Shop(telling, add_shop(telling, events_uri="/events"))
    telling.server.respond = made.respond
    return made


def acts_of(telling: Telling, kind: str) -> list[acts.Act]:
    with telling.town.context.database.reading() as session:
        return acts.of_kind(session, kind)


def test_a_withdrawal_kills_the_tokens_and_tells_the_partner(shop: Shop) -> None:
    """One transaction, then a signed event by which the partner knows whom it means, what ended, and by when to answer."""
    town = shop.telling.town
    browser, tokens = shop.visit()
    subject = town.userinfo(tokens["access_token"]).json["sub"]
    town.clock.advance(60)
    withdraw(browser)
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.refresh(shop.partner, tokens["refresh_token"]).json["error"] == "invalid_grant"
    began = int(town.clock())
    assert shop.sent == []
    told, session_revoked = shop.deliver()
    assert told["events"] == {
        WITHDRAWN: {
            "purposes": ["main"],
            "claims": ["name", "email"],
            "partial": False,
            "confirm_by": began + _CONFIRM_WITHIN,
            "confirm_at": f"{ISSUER}/consent/confirmations",
        }
    }
    assert told["sub_id"] == {"format": "iss_sub", "iss": ISSUER, "sub": subject}
    assert (told["iss"], told["aud"], told["toe"]) == (ISSUER, "shop", began)
    assert told["iat"] == began + 1
    assert told["txn"] == shop.matter.id
    assert not {"sub", "exp", "nonce"} & told.keys()
    assert session_revoked["events"] == {events.SESSION_REVOKED: {"initiating_entity": "user"}}
    assert session_revoked["txn"] == told["txn"]
    assert session_revoked["jti"] != told["jti"]
    _, headers, _ = shop.sent[0]
    assert headers["content-type"] == "application/secevent+jwt"
    assert headers["accept"] == "application/json"
    assert shop.matter.told_at == began + 1
    (act,) = acts_of(shop.telling, "partner_told")
    assert (act.client_id, act.resident_id) == ("shop", town.maria.resident_id)
    assert act.details["jti"] == told["jti"]
    assert shop.deliver(3600) == []


def test_a_partner_knows_whom_it_is_told_of_even_after_its_sector_has_changed(shop: Shop) -> None:
    """RFC 9493 §3.2.3: `sub` is the one of its tokens, though by now it would be another, and the grant is over."""
    town = shop.telling.town
    browser, tokens = shop.visit()
    known = town.userinfo(tokens["access_token"]).json["sub"]
    with town.context.database.transaction() as session:
        session.get_one(ClientRow, "shop").sector = "elsewhere.example"
        bump(session, CLIENTS)
    shop.telling.messenger._provider.clients.forget()
    town.fresh()
    town.clock.advance(60)
    withdraw(browser)
    assert {told["sub_id"]["sub"] for told in shop.deliver()} == {known}


def test_a_second_try_is_the_same_event(shop: Shop) -> None:
    """Signed anew, with whatever key signs then; `jti` stays, so that a partner knows it again (RFC 8417 §2.2)."""
    browser, _ = shop.visit()
    withdraw(browser)
    browser.get("/logout")
    shop.statuses = [503] * 2
    first = shop.deliver()[0]
    rotate_keys(shop.telling.town.context, alg="ES256", force=True, now=int(shop.telling.town.clock()))
    shop.telling.town.fresh()
    shop.telling.messenger._provider.forget()
    assert shop.matter.told_at is None
    later = {one["jti"]: one for one in shop.deliver(120) + shop.deliver(120)}
    again = later[first["jti"]]
    assert again["iat"] > first["iat"]
    assert {**again, "iat": 0} == {**first, "iat": 0}
    assert shop.matter.told_at is not None


@pytest.mark.parametrize(
    ("status", "state"), [(202, "sent"), (200, "sent"), (204, "sent"), (302, "waiting"), (400, "dead")]
)
def test_what_an_answer_means(shop: Shop, status: int, state: str) -> None:
    """RFC 8935 §2.2, §2.3: accepted, refused for good, or trouble; and whoever did not take it was not told."""
    browser, _ = shop.visit()
    shop.statuses = [status] * 2
    withdraw(browser)
    shop.deliver()
    shop.deliver()
    assert {row.state for row in shop.telling.town.rows(Delivery) if row.event == "consent-withdrawn"} == {
        state
    }
    assert (shop.matter.told_at is not None) == (state == "sent")


def test_sharing_less_narrows_and_tells_without_signing_out(shop: Shop) -> None:
    """One box is taken back: tokens live on and give less at once; the event names what ended."""
    town = shop.telling.town
    browser, tokens = shop.visit()
    assert "email" in town.userinfo(tokens["access_token"]).json
    page = browser.get("/privacy/services/shop").text
    path = page.split('action="')[1].split('"')[0]
    assert path.endswith("/narrow")
    assert browser.submit(path).location == "/privacy/services/shop#told"
    found = town.userinfo(tokens["access_token"]).json
    assert "name" in found
    assert "email" not in found
    (told,) = shop.deliver()
    said = told["events"][WITHDRAWN]
    assert (said["claims"], said["partial"]) == (["email"], True)
    assert "You share less now" in browser.get("/privacy/services/shop").text
    refreshed = town.refresh(shop.partner, tokens["refresh_token"]).json
    assert "email" not in town.userinfo(refreshed["access_token"]).json
    answer = browser.authorize(shop.partner, SCOPE, Proof())
    assert "code=" in answer.location, "nobody is asked again about what they have just refused"


def test_a_partner_with_a_logout_address_alone_is_signed_out(telling: Telling) -> None:
    """No event can reach it: its logout token counts as told."""
    add = add_shop(telling, backchannel_logout_uri="/out")
    shop = Shop(telling, add, statuses=[200])
    telling.server.respond = shop.respond
    browser, _ = shop.visit()
    withdraw(browser)
    assert shop.matter.channel == "logout"
    shop.telling.deliver()
    ((path, _, body),) = shop.sent
    assert path == "/out"
    assert body.startswith(b"logout_token=")
    assert shop.matter.told_at == int(telling.town.clock())


def sign_in_again(shop: Shop, browser: Browser) -> None:
    """Where something asks for it, in the same browser: another session takes the place of the first."""
    town = shop.telling.town
    before = {row.sid for row in town.rows(BrowserSession)}
    browser.code(town.library, town.maria, "openid profile", Proof(), prompt="login")
    assert {row.sid for row in town.rows(BrowserSession)} > before
    assert shop.deliver() == [], "as the partner sees it, the session goes on"


def _pause(browser: Browser) -> None:
    browser.get("/privacy/pause")
    assert browser.submit("/privacy/pause").location == "/paused"


@pytest.mark.parametrize("stop", [withdraw, _pause])
def test_whoever_signed_in_again_meanwhile_is_signed_out_there_all_the_same(
    telling: Telling, stop: Callable[[Browser], None]
) -> None:
    """The logout token names the session that the partner knows, not the one that took its place (decision 0022)."""
    shop = Shop(telling, add_shop(telling, backchannel_logout_uri="/out"), statuses=[200])
    telling.server.respond = shop.respond
    browser, _ = shop.visit()
    (known,) = [row.sid for row in telling.town.rows(BrowserSession)]
    sign_in_again(shop, browser)
    stop(browser)
    assert shop.matter.channel == "logout"
    assert known in {row.sid for row in telling.rows() if row.matter_id == shop.matter.id}
    shop.deliver()
    assert shop.matter.told_at == int(telling.town.clock())


def test_whoever_signed_in_again_meanwhile_is_told_to_have_left(shop: Shop) -> None:
    """CAEP's `session-revoked` goes out with the withdrawal; a session that ended before it calls for none."""
    browser, _ = shop.visit()
    sign_in_again(shop, browser)
    withdraw(browser)
    told, session_revoked = shop.deliver()
    assert WITHDRAWN in told["events"]
    assert events.SESSION_REVOKED in session_revoked["events"]
    assert session_revoked["txn"] == told["txn"]


def test_a_session_that_is_over_is_not_ended_again(telling: Telling) -> None:
    """Who signed out, and in again elsewhere, has nothing there for a withdrawal to sign out of."""
    shop = Shop(telling, add_shop(telling, backchannel_logout_uri="/out"))
    telling.server.respond = shop.respond
    browser, _ = shop.visit()
    sign_in_again(shop, browser)
    browser.get("/logout")
    browser.submit("/logout")
    shop.deliver()
    later = telling.town.browser()
    later.sign_in(telling.town.maria)
    withdraw(later)
    assert shop.matter.channel == "none"


def test_a_partner_that_cannot_be_told_stands_in_the_queue_at_once(telling: Telling) -> None:
    """No address at all: the officer sees to it, and the resident reads so."""
    shop = Shop(telling, add_shop(telling))
    browser, _ = shop.visit()
    withdraw(browser)
    assert shop.matter.channel == "none"
    assert telling.town.rows(Delivery) == []
    with telling.town.context.database.reading() as session:
        assert [one.id for one in withdrawals.awaited(session, now=int(telling.town.clock()))] == [
            shop.matter.id
        ]
    assert "privacy officer sees to it" in browser.get("/privacy/services/shop").text


def test_what_cannot_be_told_does_not_happen(shop: Shop) -> None:
    """One transaction: no withdrawal without the order to tell, no order without the withdrawal."""
    browser, tokens = shop.visit()
    town = shop.telling.town
    browser.get("/privacy/services/shop")
    with town.context.database.transaction() as session:
        session.execute(text("ALTER TABLE signals_delivery RENAME TO gone"))
    answer = browser.submit("/privacy/services/shop/withdraw")
    with town.context.database.transaction() as session:
        session.execute(text("ALTER TABLE gone RENAME TO signals_delivery"))
    assert answer.status_code in {500, 503}
    assert town.userinfo(tokens["access_token"]).status_code == 200
    assert all(row.revoked_at is None for row in town.rows(Grant))
    with town.context.database.reading() as session:
        assert withdrawals.of_client(session, town.maria.resident_id, "shop") == []


def test_a_client_confirms_what_it_was_told(shop: Shop) -> None:
    """The resident sees "told on …, confirmed on …", in the partner's outcome."""
    town = shop.telling.town
    browser, _ = shop.visit()
    withdraw(browser)
    told = shop.deliver()[0]
    answer = town.call("/consent/confirmations", shop.partner, {"txn": told["txn"], "outcome": "deleted"})
    assert answer.status_code == 200
    assert answer.json == {
        "txn": told["txn"],
        "outcome": "deleted",
        "confirmed_at": int(town.clock()),
        "late": False,
    }
    page = browser.get("/privacy/services/shop").text
    for part in ("Told on", "Confirmed on", "it has deleted the data"):
        assert part in page
    assert "Confirmed" in browser.get("/privacy").text


def test_the_address_for_events_is_guarded_as_all_that_we_fetch() -> None:
    """K17."""
    for uri in ("http://shop.example/events", "https://127.0.0.1/events", "https://localhost/e"):
        with pytest.raises(ClientRefused, match="events_uri"):
            check(NewClient("Shop", ("https://shop.example/cb",), details=Details(events_uri=uri)))


def test_only_events_of_ours_are_told(shop: Shop) -> None:
    with (
        shop.telling.town.context.database.transaction() as session,
        pytest.raises(ValueError, match="no event"),
    ):
        events.tell(
            session, event="nonsense", client_id="shop", resident_id="r", details={}, confirm_within=1, now=1
        )


def test_an_event_about_somebody_erased_is_told_all_the_same(shop: Shop) -> None:
    """Its act is opened by the service's key then, and names nobody."""
    town = shop.telling.town
    with town.context.database.transaction() as session:
        events.tell(
            session,
            event="erasure-requested",
            client_id="shop",
            resident_id="erased",
            details={"reference": "1"},
            confirm_within=_CONFIRM_WITHIN,
            now=int(town.clock()),
        )
    (told,) = shop.deliver()
    assert list(told["events"]) == [f"{ISSUER}/events/erasure-requested"]
    (act,) = acts_of(shop.telling, "partner_told")
    assert act.resident_id is None
    assert json.dumps(dict(act.details)).count("erased") == 0
