"""Text messages: a generic HTTP gateway, and Twilio's API as its vendor documents it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from idp.messaging.rules import PAUSES, plain_signs
from idp.messaging.service import enqueue_sms
from idp.messaging.sms import generic
from idp.settings.sms import SmsSettings
from tests.idp.messaging.outbox import VALUES, deliver, row, town_with, write_sms
from tests.support.loopback import free_port
from tests.support.sms import Asked, SmsPort, TwilioPort
from tests.support.sms_length import sms_length
from tests.support.tls import make_authority
from tests.support.town import START

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Riverton: a passkey was added to your account. Not you? https://id.riverton.example/account"


def test_a_generic_gateway_gets_what_the_settings_say(database_url: str, tmp_path: Path) -> None:
    """Address, headers and nested fields; its own id of the message is kept, to ask there."""
    with SmsPort() as gateway, town_with(database_url, tmp_path, sms=gateway.settings) as town:
        message_id = write_sms(town)
        assert deliver(town, "sms") == 1
        (text,) = gateway.wait_for(1)
        assert (text.to, text.sender, text.text) == ("+33612345678", "Riverton", TEXT)
        (asked,) = gateway.asked
        assert (asked.method, asked.path, asked.fields["ref"]) == ("POST", "/send", message_id)
        sent = row(town, message_id)
        assert (sent.state, sent.content, sent.reference) == ("sent", None, "gw-1")


def test_twilio_gets_a_form_and_basic_authentication(database_url: str, tmp_path: Path) -> None:
    """Messages API: POST …/Accounts/{SID}/Messages.json with To, From, Body; 201 and a sid."""
    with TwilioPort() as gateway, town_with(database_url, tmp_path, sms=gateway.settings) as town:
        message_id = write_sms(town)
        assert deliver(town, "sms") == 1
        (text,) = gateway.wait_for(1)
        assert (text.to, text.sender, text.text) == ("+33612345678", "+15005550006", TEXT)
        assert row(town, message_id).reference.startswith("SM")


def test_twilio_may_be_used_with_an_api_key_and_a_messaging_service() -> None:
    """The key's SID is the user name then, and the service stands for the sender."""
    from base64 import b64decode
    from urllib.parse import parse_qs

    from idp.messaging.sms import twilio

    settings = SmsSettings(provider="twilio", account="AC1", key="SK2", secret="s", service="MG3")
    made = twilio.request(settings, to="+33612345678", text="Hello")
    assert made.url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    assert b64decode(made.headers["Authorization"].removeprefix("Basic ")) == b"SK2:s"
    assert parse_qs((made.body or b"").decode()) == {
        "To": ["+33612345678"],
        "Body": ["Hello"],
        "MessagingServiceSid": ["MG3"],
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("answer", "state", "cause"),
    [
        ((400, 21211), "dead", "twilio 21211"),  # no such number
        ((400, 21610), "dead", "twilio 21610"),  # unsubscribed
        ((400, 21614), "dead", "twilio 21614"),  # no mobile number
        ((400, 21408), "dead", "twilio 21408"),  # country not allowed
        ((400, 29999), "waiting", "twilio 29999"),  # something new
        ((401, 20003), "waiting", "twilio 20003"),  # our credentials
        ((429, 20429), "waiting", "twilio 20429"),  # too many requests
        ((400, 21611), "waiting", "twilio 21611"),  # our queue is full
        ((400, 21606), "waiting", "twilio 21606"),  # our sender cannot send
        ((503, 20503), "waiting", "twilio 20503"),
        (None, "waiting", "RemoteDisconnected"),
    ],
)
def test_twilios_errors_are_final_or_pass(
    answer: tuple[int, int] | None, state: str, cause: str, database_url: str, tmp_path: Path
) -> None:
    """What concerns one number for good is dead at once; what concerns us or the hour is tried again."""

    def mood(_: Asked) -> Any:
        return TwilioPort.error(*answer) if answer else None

    with TwilioPort(mood=mood) as gateway, town_with(database_url, tmp_path, sms=gateway.settings) as town:
        message_id = write_sms(town)
        assert deliver(town, "sms") == 0
        assert (row(town, message_id).state, row(town, message_id).trouble) == (state, cause)
        gateway.mood = None
        town.clock.advance(PAUSES[0] * 2)
        assert deliver(town, "sms") == (state == "waiting")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((200, {"result": {"status": "queued"}}), "sent"),
        ((200, {"result": {"status": "no credit"}}), "waiting"),
        ((200, ["no object"]), "waiting"),
        ((422, {}), "dead"),
        ((401, {}), "waiting"),
        ((302, {}), "waiting"),  # redirects are not followed
        ((500, {}), "waiting"),
    ],
)
def test_a_generic_gateways_answer_is_read_by_the_rule_in_the_settings(
    answer: tuple[int, Any], state: str, database_url: str, tmp_path: Path
) -> None:
    """Statuses that mean success or the end, and a field that must say so, too."""
    with (
        SmsPort(mood=lambda _: answer) as gateway,
        town_with(database_url, tmp_path, sms=gateway.settings) as town,
    ):
        message_id = write_sms(town)
        deliver(town, "sms")
        assert row(town, message_id).state == state
        assert len(gateway.asked) == 1


def test_a_gateway_that_is_down_loses_nothing(database_url: str, tmp_path: Path) -> None:
    """F13 for text messages."""
    with SmsPort() as gateway:
        away = {**gateway.settings, "url": f"http://127.0.0.1:{free_port()}/send"}
        with town_with(database_url, tmp_path, sms=away) as town:
            message_id = write_sms(town)
            assert deliver(town, "sms") == 0
            assert row(town, message_id).trouble == "ConnectionRefusedError"
            sms = town.settings.sms.model_copy(update={"url": gateway.url})
            object.__setattr__(town.context, "settings", town.settings.model_copy(update={"sms": sms}))
            town.clock.advance(60)
            assert deliver(town, "sms") == 1
            assert len(gateway.wait_for(1)) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_gateways_certificate_is_checked(database_url: str, tmp_path: Path) -> None:
    """HTTPS with the town's own authority; without it nothing is told."""
    folder = tmp_path / "authority"
    folder.mkdir()
    authority = make_authority(folder)
    with SmsPort(tls=authority.server_side) as gateway:
        assert gateway.url.startswith("https://")
        with town_with(database_url, tmp_path, sms=gateway.settings) as town:
            message_id = write_sms(town)
            assert deliver(town, "sms") == 0
            assert row(town, message_id).trouble == "SSLCertVerificationError"
            other = tmp_path / "other"
            other.mkdir()
            sms = town.settings.sms.model_copy(update={"ca_file": make_authority(other).ca})
            object.__setattr__(town.context, "settings", town.settings.model_copy(update={"sms": sms}))
            town.clock.advance(60)
            assert deliver(town, "sms") == 0
            assert gateway.asked == []
            sms = town.settings.sms.model_copy(update={"ca_file": authority.ca})
            object.__setattr__(town.context, "settings", town.settings.model_copy(update={"sms": sms}))
            town.clock.advance(120)
            assert deliver(town, "sms") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_numbers_abroad_are_not_written_to_where_the_town_says_so(database_url: str, tmp_path: Path) -> None:
    """Expensive numbers in far countries are how text messages are abused."""
    with (
        SmsPort() as gateway,
        town_with(database_url, tmp_path, sms={**gateway.settings, "countries": ["FR", "GP"]}) as town,
    ):
        abroad, home = write_sms(town, "+37120000000"), write_sms(town)
        assert deliver(town, "sms") == 1
        assert (row(town, abroad).state, row(town, abroad).trouble) == ("dead", "country not allowed")
        assert row(town, home).state == "sent"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_gateway_a_text_message_ends_in_sight(database_url: str, tmp_path: Path) -> None:
    """A town that sends none never leaves one waiting for ever."""
    with town_with(database_url, tmp_path) as town:
        message_id = write_sms(town)
        deliver(town, "sms")
        assert (row(town, message_id).state, row(town, message_id).trouble) == (
            "dead",
            "no gateway in the settings",
        )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_log_names_no_number_and_no_text(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 16.2.5, in success and failure; vendors repeat the number in their errors."""
    with TwilioPort() as gateway, town_with(database_url, tmp_path, sms=gateway.settings) as town:
        with caplog.at_level(logging.DEBUG):
            for number in ("+15005550001", "+33612345678"):
                write_sms(town, number)
            deliver(town, "sms")
        assert "message sent channel=sms" in caplog.text
        assert "message given up channel=sms" in caplog.text
        assert not any(
            word in caplog.text for word in ("5005550001", "612345678", "passkey was", gateway.secret)
        )


def test_only_numbers_in_their_international_form_are_taken(town: Any) -> None:
    """E.164: a plus, the country, at most fifteen digits."""
    for to in ("0612345678", "+33 6 12 34 56 78", "+0612345678", "+331", "+" + "1" * 16, "33612345678", ""):
        with town.context.database.transaction() as session, pytest.raises(ValueError, match=r"E\.164"):
            enqueue_sms(
                session, town.context.vault, "passkey_added",
                to=to, language="en", values=VALUES, expires_at=START + 9, now=START,
            )  # fmt: skip


# --- settings ---


def test_plain_http_is_for_this_machine_alone() -> None:
    """A gateway's key and everybody's numbers are not for the open network."""
    for url in ("http://sms.example.org/send", "ftp://sms.example.org", "sms.example.org", "https://"):
        with pytest.raises(ValidationError):
            SmsSettings(provider="http", url=url)
    assert SmsSettings(provider="http", url="https://sms.example.org/send").enabled
    assert not SmsSettings().enabled


def test_incomplete_gateways_are_refused() -> None:
    """Before the first message, not after."""
    for values in ({"provider": "http"}, {"provider": "twilio", "account": "AC1"}, {"countries": ("fr",)}):
        with pytest.raises(ValidationError):
            SmsSettings(**values)


@pytest.mark.parametrize(
    "unfit",
    [
        {"headers": {"Authorization": "Bearer t\u2013oken"}},
        {"headers": {"Authorization": "Bearer t\u00f6ken"}},
        {"headers": {"Authorization": "Bearer token\r\nX-Other: 1"}},
        {"headers": {"X Key": "token"}},
        {"url": "https://sms.example.org/s\u00e9nd"},
        {"url": "https://sms.example.org/send?key=a b"},
    ],
)
def test_what_http_cannot_carry_is_refused_at_once(unfit: dict[str, Any]) -> None:
    """RFC 9110 §5.1, §5.5, RFC 3986 §2: with such a header no message would ever leave; its value is not shown."""
    with pytest.raises(ValidationError) as refused:
        SmsSettings(**{"provider": "http", "url": "https://sms.example.org/send", **unfit})
    assert "ASCII" in refused.value.errors()[0]["msg"]
    assert "oken" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("broken", [{"url": "https://sms..example.org/send"}, {"ca_file": "missing.pem"}])
def test_a_gateway_that_cannot_be_asked_costs_no_message(
    broken: dict[str, Any], database_url: str, tmp_path: Path
) -> None:
    """A host that can be none, a file that is gone: all of them wait until the settings are mended."""
    sms = {"provider": "http", "url": "https://localhost:1/send", "sender": "Riverton", **broken}
    with town_with(database_url, tmp_path, sms=sms) as town:
        message_id = write_sms(town)
        deliver(town, "sms")
        assert row(town, message_id).state == "waiting"


def test_secrets_are_not_shown() -> None:
    """A settings object in a log or traceback tells no key."""
    shown = repr(
        SmsSettings(provider="http", url="https://x.example", headers={"X-Key": "sEcReT"}, secret="sEcReT")
    )
    assert "sEcReT" not in shown


@pytest.mark.parametrize("form", ["json", "form", "query"])
def test_a_text_cannot_break_out_of_its_field(form: str) -> None:
    """Whatever a text says, it stays the value of one field, and what is filled in is not filled in again."""
    text = '","to":"+999","x":"{to} {sender} & to=+999 \r\n{id}'
    settings = SmsSettings(
        provider="http", url="https://x.example/s?k=1", format=form, method="POST" if form != "query" else "GET",
        sender="Riverton", fields={"to": "{to}", "text": "{town} {text}"},
    )  # fmt: skip
    made = generic.request(settings, to="+33612345678", text=text, message_id="m")
    if form == "json":
        import json

        found = json.loads(made.body or b"")
    else:
        from urllib.parse import parse_qs, urlsplit

        query = urlsplit(made.url).query if form == "query" else (made.body or b"").decode()
        found = {name: values[0] for name, values in parse_qs(query).items() if name != "k"}
    assert found == {"to": "+33612345678", "text": "{town} " + text}


# --- length ---


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "gsm-7", 0, 1),
        ("a" * 160, "gsm-7", 160, 1),
        ("a" * 161, "gsm-7", 161, 2),
        ("a" * 306, "gsm-7", 306, 2),
        ("a" * 307, "gsm-7", 307, 3),
        ("é à ù €", "gsm-7", 8, 1),  # the euro sign takes two
        ("€" * 80, "gsm-7", 160, 1),
        ("€" * 81, "gsm-7", 162, 2),
        ("ê" * 70, "ucs-2", 70, 1),
        ("ê" * 71, "ucs-2", 71, 2),
        ("س" * 70, "ucs-2", 70, 1),
        ("😀" * 35, "ucs-2", 70, 1),
        ("😀" * 36, "ucs-2", 72, 2),
    ],
)
def test_length_is_counted_as_networks_do(text: str, encoding: str, units: int, segments: int) -> None:
    """3GPP TS 23.038 §6.2.1 and TS 23.040 §9.2.3.24.1."""
    found = sms_length(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


def test_typographic_signs_do_not_halve_a_text_message() -> None:
    """Quotes, dashes and hard blanks have plain twins in the alphabet of text messages; letters are left alone."""
    assert plain_signs("l’accès — « oui »\u202f!") == "l'accès - « oui » !"
    assert sms_length(plain_signs("l’accès – ok")).encoding == "gsm-7"
