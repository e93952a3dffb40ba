"""How each partner's website looks and speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.sandbox.ports import Ports


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of "what we know about you": a claim, its name in plain words, and why it is there or not."""

    claim: str
    label: str
    use: str
    without: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A paragraph of the home page."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class PartnerSite:
    """One website. `key` names its style sheet, its picture and its cookie."""

    key: str
    name: str
    url: str
    client_id: str
    scope: str
    promise: str
    invitation: str
    facts: tuple[Fact, ...]
    offers: tuple[Offer, ...]
    footer: str
    #: What it lets people do who have signed in with a second proof; None: one is always enough.
    guarded: Offer | None = None
    #: Whether it says what it did about an event; a silent one shows what the town makes of silence.
    confirms: bool = True

    def facts_about(self, person: Mapping[str, Any]) -> list[dict[str, str]]:
        """Every fact with its value, or with what it means that there is none."""
        return [
            {
                "label": fact.label,
                "value": _in_words(person.get(fact.claim)),
                "note": fact.use if fact.claim in person else fact.without,
            }
            for fact in self.facts
        ]


def partner_sites(ports: Ports) -> tuple[PartnerSite, ...]:
    """The websites of the demo, at their addresses."""
    return (_library(ports.library_url), _tax_portal(ports.tax_url))


def _library(url: str) -> PartnerSite:
    return PartnerSite(
        key="library",
        name="Riverton Public Library",
        url=url,
        client_id="riverton-library",
        scope="openid profile email offline_access",
        promise="Books, films and a quiet place to read",
        invitation="Sign in to borrow, reserve and renew. You need no library card.",
        facts=(
            Fact("name", "Your name", "Your account is in this name.", "We do not know it."),
            Fact(
                "email",
                "Your e-mail address",
                "We remind you before a loan is due.",
                "You did not share it, so we send no reminders.",
            ),
        ),
        offers=(
            Offer("Open today", "Nine to seven, at 3 Mill Street and in the Harbour branch."),
            Offer("Reading hour", "Wednesdays at four, for children from five. Come as you are."),
            Offer("No fines", "Bring it back when you can. We only remind you if you want us to."),
        ),
        footer="Riverton Public Library, 3 Mill Street",
    )


def _tax_portal(url: str) -> PartnerSite:
    return PartnerSite(
        key="tax",
        name="Riverton Tax Portal",
        url=url,
        client_id="riverton-tax",
        scope="openid profile email phone offline_access",
        promise="Your local taxes in one place",
        invitation="Sign in to see your file. If you have just used the library, you are signed in already.",
        facts=(
            Fact("name", "Your name", "Your tax file is in this name.", "We do not know it."),
            Fact("birthdate", "Your date of birth", "It tells your file from others.", "We do not know it."),
            Fact("email", "Your e-mail address", "We write to you about your file.", "We write by post."),
            Fact(
                "phone_number",
                "Your phone number",
                "We remind you by text message.",
                "You did not share it, so we send no text messages.",
            ),
        ),
        offers=(
            Offer("Next payment", "Property tax, second part: due on 15 March."),
            Offer("Help with forms", "Every Tuesday at the town hall, room 12. No appointment."),
            Offer("Why we ask for little", "The town tells us who you are. We need no copies of papers."),
        ),
        footer="Riverton Tax Office, Town Hall, 1 Market Square",
        guarded=Offer(
            "Your bank account",
            "Where we pay refunds to. So that nobody else changes it, we ask Riverton for a second proof that it is you.",
        ),
        confirms=False,
    )


def _in_words(value: Any) -> str:
    """A value as a person writes it; empty when there is none."""
    if value is None:
        return ""
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return f"{day.day} {day:%B %Y}"
