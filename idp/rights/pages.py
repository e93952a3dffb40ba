"""What several pages of rights share: requests and services in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import gettext

from consent import labels
from consent.rules import rights_for
from idp.accounts.models import Resident
from idp.oidc.wiring import provider
from idp.rights import service, words
from idp.web.context import context
from idp.web.pages import error_page

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.rights.cases import Case
    from idp.rights.service import Service

#: The value by which a form names every service; no client can be called so.
ALL = "*"


def resident_of(reading: Session, session: SignedIn) -> Resident:
    """The resident who is signed in."""
    return reading.get_one(Resident, session.resident_id)


def services_of(session: SignedIn) -> list[Service]:
    """The services that ever had to do with them."""
    with context().database.reading() as reading:
        return service.services(reading, session.resident_id)


def name_of(client_id: str) -> str:
    """What a service is called; the empty one is every service."""
    return words.service_text(client_id, lambda known: provider().clients.name_of(known)[0])


def service_shown(found: Service) -> dict[str, Any]:
    """A service with its bases, and the rights that each gives."""
    return {
        "name": name_of(found.client_id),
        "bases": [
            {
                "text": labels.basis_text(basis),
                "rights": [words.right_text(one) for one in rights_for(basis)],
            }
            for basis in sorted(found.bases)
        ],
        "held": found.held,
    }


def line(case: Case) -> dict[str, Any]:
    """A request in words."""
    return {
        "id": case.id,
        "reference": case.reference,
        "kind": words.kind_text(case.kind),
        "about": words.about_text(case.kind, case.about, name_of),
        "state": words.state_text(case.state, own=True),
        "colour": words.state_colour(case.state),
        "received_at": case.received_at,
        "last_day": case.due_at - 1,
        "is_open": case.ended_at is None,
        "ended_at": case.ended_at,
    }


def too_many() -> Response:
    """Somebody asks too often."""
    return error_page(
        429,
        gettext("That is too often"),
        gettext("There were too many requests from your account."),
        gettext("Wait until tomorrow, or write to the town."),
    )
