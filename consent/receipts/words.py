"""A receipt in the reader's language, for the page and for paper; what the notice said stays in the notice's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from consent import labels
from consent.receipts.values import listed
from consent.rules import CONSENT

if TYPE_CHECKING:
    from flask_babel.speaklater import LazyString

    from consent.receipts.service import Receipt

_ACTORS: Final[dict[str, LazyString]] = {
    "self": _l("You yourself"),
    "parent": _l("A parent"),
    "representative": _l("Someone acting for you"),
    "town": _l("The town, by itself"),
}
_GROUP: Final = 8


@dataclass(frozen=True, slots=True)
class Words:
    """A receipt for reading: facts as (term, text), and the notice as it was shown."""

    title: str
    what: str
    at: int
    service: str
    partner: str
    facts: tuple[tuple[str, str], ...]
    notice_language: str
    notice: tuple[tuple[str, str], ...]
    proof: tuple[tuple[str, str], ...]


def words_of(receipt: Receipt) -> Words:
    """What a receipt says, in the language of this request."""
    evidence, names = receipt.evidence, receipt.names
    record, notice = evidence.record, evidence.notice
    offered, chosen = listed(record, "claims_offered"), listed(record, "claims_chosen")
    left = [claim for claim in offered if claim not in chosen]
    return Words(
        title=_("Receipt: %(service)s", service=names.service),
        what=labels.event_text(record["event"], ()),
        at=record["at"],
        service=names.service,
        partner=names.partner,
        facts=tuple(
            (term, text)
            for term, text in (
                (_("What it was for"), notice["title"]),
                (_("Agreed to"), labels.claim_list(chosen)),
                (_("Not agreed to"), labels.claim_list(left)),
                (_("On which ground"), _ground(evidence.purpose["basis"])),
                (_("Who did it"), str(_ACTORS.get(record["actor"]) or _("The town’s staff"))),
            )
            if text
        ),
        notice_language=notice["language"],
        notice=(
            (_("Title"), notice["title"]),
            (_("Why"), notice["why"]),
            (_("How long it is kept"), notice["retention_text"]),
            (_("Who receives it"), notice["recipients"]),
        ),
        proof=_proof(receipt),
    )


def _ground(basis: str) -> str:
    """On which basis data is asked for; a refusal has a receipt, too, so that nothing is said of the answer."""
    if basis == CONSENT:
        return str(_("Your own choice: without your consent the service may not do this."))
    return labels.basis_text(basis)


def _proof(receipt: Receipt) -> tuple[tuple[str, str], ...]:
    record, notice = receipt.evidence.record, receipt.evidence.notice
    waiting = _("Not yet: it is taken in within seconds. Load this page again before you keep the receipt.")
    return (
        (_("Number of this receipt"), receipt.uid),
        (_("Notice"), labels.notice_text(notice["title"], notice["version"])),
        (_("Fingerprint of the notice"), grouped(record["notice_hash"])),
        (
            _("Place in the public log"),
            waiting if receipt.place is None else _("Entry %(number)s", number=receipt.place),
        ),
        (_("Given by"), f"{receipt.names.town}, {receipt.names.issuer}"),
    )


def grouped(digest: str) -> str:
    """A fingerprint in groups that a person can compare."""
    return " ".join(digest[at : at + _GROUP] for at in range(0, len(digest), _GROUP))


def verify_address(issuer: str, jws: str = "") -> str:
    """Where a receipt is checked; a receipt stands behind the ``#``, which browsers keep to themselves."""
    return f"{issuer}/receipts/verify" + (f"#{jws}" if jws else "")


def claim_labels() -> list[tuple[str, str]]:
    """What every claim is called, for the page that checks receipts."""
    return [(claim, str(text)) for claim, text in labels.CLAIMS.items()]
