"""Where something is held about a resident, and how each place is read: the map behind the copy of everything held.

A test compares it with the schema: every column that says something about a person (`pii=yes`) is shown by one of
these, or named in `LEFT_OUT` with the reason. Tables of `consent` are found by `consent.held`, tables of `idp` that name
a resident by their column, so a new table is in the copy before anybody has written its title here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flask_babel import lazy_gettext as _
from sqlalchemy import LargeBinary, select

from idp.db import Base
from idp.messaging.service import open_message
from idp.oidc.models import Authorization, Grant
from idp.rights.models import Request
from keys.columns import BlindIndex, Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Column, Table
    from sqlalchemy.orm import Session

    from keys.envelope import DataKey, Vault

    #: How a sealed value is read: the row, the sealed value, the resident's key, the town's keys.
    Opener = Callable[[Any, Any, DataKey, Vault], Any]

_BATCH = 200
_BYTES = (LargeBinary, Sealed, BlindIndex)


@dataclass(frozen=True, slots=True)
class Holding:
    """One table. `whose` gives the condition by which a resident's rows are found; by the column `resident_id` else."""

    title: Any
    whose: Callable[[Table, str], Any] = field(
        default=lambda table, resident_id: table.c.resident_id == resident_id
    )
    opens: Mapping[str, Opener] = field(default_factory=dict)
    hides: frozenset[str] = frozenset()


def _own(context: str) -> Opener:
    """Sealed under the resident's key; `context` names columns of the row in braces."""
    return lambda row, sealed, key, _vault: key.open(sealed, context.format(**row._asdict()))


def _letter_to(row: Any, _sealed: Any, _key: DataKey, vault: Vault) -> Any:
    """To whom; the rest of a message are codes and links, which nobody may read twice."""
    return {"to": open_message(vault, row).to}


_GRANTS = select(Grant.id)
_FAMILIES = select(Authorization.id).join(Grant, Grant.id == Authorization.grant_id)

HOLDINGS: Final[dict[str, Holding]] = {
    "accounts_resident": Holding(_("Your account"), lambda table, resident_id: table.c.id == resident_id),
    "accounts_attribute": Holding(
        _("What we know of you"), opens={"value": _own("attribute|{resident_id}|{name}")}
    ),
    "accounts_contact_point": Holding(_("Where you are reached"), opens={"value": _own("contact|{id}")}),
    "accounts_former_contact_point": Holding(
        _("Where you were reached until lately"), opens={"value": _own("contact|{id}")}
    ),
    "contacts_change": Holding(
        _("Addresses and numbers about to change"), opens={"value": _own("contacts_change|{id}")}
    ),
    "login_session": Holding(
        _("Where you are, or were, signed in"), opens={"place": _own("session|{sid}|place")}
    ),
    "login_device": Holding(_("Devices that we know as yours")),
    "login_password": Holding(_("Your password"), hides=frozenset({"hash"})),
    "login_passkey": Holding(_("Your passkeys"), opens={"name": _own("passkey|{id}")}),
    "login_totp": Holding(
        _("Your apps with codes"), opens={"name": _own("totp|{id}|name")}, hides=frozenset({"secret"})
    ),
    "login_card": Holding(_("Your cards"), hides=frozenset({"pin_verifier"})),
    "login_upstream_identity": Holding(_("Other accounts with which you sign in")),
    "messaging_outbox": Holding(_("Messages to you"), opens={"content": _letter_to}),
    "oidc_grant": Holding(_("What services may ask for now")),
    "oidc_authorization": Holding(
        _("Your sign-ins at services"),
        lambda table, resident_id: table.c.grant_id.in_(_GRANTS.where(Grant.resident_id == resident_id)),
        hides=frozenset({"nonce", "code_challenge", "dpop_jkt"}),
    ),
    "oidc_access_token": Holding(
        _("Connections of services to your data"),
        lambda table, resident_id: table.c.authorization_id.in_(
            _FAMILIES.where(Grant.resident_id == resident_id)
        ),
        hides=frozenset({"confirmation"}),
    ),
    "oidc_device_request": Holding(_("Devices that you let in"), hides=frozenset({"request", "run"})),
    "oidc_hold": Holding(_("Services that you stopped")),
    "recovery_case": Holding(_("Attempts to get back into your account")),
    "recovery_helper": Holding(_("People whom you trust"), opens={"name": _own("recovery_helper|{id}")}),
    "rights_request": Holding(
        _("Your requests about your data"), opens={"wish": _own("rights_request|{id}")}
    ),
    "rights_step": Holding(
        _("What happened to your requests"),
        lambda table, resident_id: table.c.request_id.in_(
            select(Request.id).where(Request.resident_id == resident_id)
        ),
        opens={"said": _own("rights_step|{request_id}|{at}")},
    ),
    "closing_closure": Holding(_("When your account was to be closed")),
    "signals_delivery": Holding(_("What services were told about you")),
    "consent_record": Holding(_("What you agreed to, and refused")),
    "consent_release": Holding(_("What was passed on, and to whom")),
    "consent_lookup": Holding(_("Staff who looked at your record"), hides=frozenset({"staff_id"})),
    "consent_act": Holding(_("What was done with your account")),
    "consent_expiring": Holding(_("Consents that end by themselves")),
    "consent_question": Holding(_("What services asked you outside a sign-in")),
    "consent_confirmation": Holding(
        _("What services were told, and say that they have done"), hides=frozenset({"closed_by"})
    ),
}

#: Columns about persons that are not in a resident's copy, and why; a table alone stands for all of its columns.
LEFT_OUT: Final[dict[str, Any]] = {
    "admin_staff": _("It is about staff."),
    "admin_open_file": _("It says which record an officer has open; the look-up itself is in the copy."),
    "consent_lookup.staff_id": _("It names a member of staff; their role is in the copy."),
    "recovery_case.name": _("It holds what somebody typed who may not be you, for minutes."),
    "recovery_case.helper_id": _("It names another person; the people you trust are in the copy."),
    "recovery_helper.helper_id": _("It names another person, whom you know by the name you gave."),
    "oidc_interaction": _("It is a sign-in under way, kept for minutes, and belongs to no account yet."),
    "oidc_pushed_request": _("It is a sign-in under way, kept for minutes, and belongs to no account yet."),
    "login_upstream_arrival": _(
        "It is a sign-in under way, kept for minutes, and belongs to no account yet."
    ),
    "signup_link": _("It belongs to an account that does not exist yet, and ends within hours."),
}


def title_of(table_name: str) -> Any:
    """What a table is called in a copy."""
    known = HOLDINGS.get(table_name)
    return known.title if known else table_name


def hidden_of(table_name: str) -> frozenset[str]:
    """The columns of a table that no copy shows."""
    known = HOLDINGS.get(table_name)
    return known.hides if known else frozenset()


def held_columns(table: Table) -> list[Column[Any]]:
    """The columns of a table that a copy shows: not digests and keys, unless they are sealed words; not what is hidden."""
    known = HOLDINGS.get(table.name)
    hidden = known.hides if known else frozenset()
    opens = known.opens if known else {}
    return [
        one
        for one in table.columns
        if one.name not in hidden
        and (one.name in opens or not isinstance(one.type, _BYTES))
        and f"{table.name}.{one.name}" not in LEFT_OUT
    ]


def tables() -> list[Table]:
    """The tables of `idp` that say something of residents, the declared ones first, in the order of the map."""
    found = {
        one.name: one
        for one in Base.metadata.sorted_tables
        if one.name not in LEFT_OUT and (one.name in HOLDINGS or "resident_id" in one.c)
    }
    return [found[name] for name in HOLDINGS if name in found] + [
        table for name, table in found.items() if name not in HOLDINGS
    ]


def rows(
    session: Session, vault: Vault, key: DataKey, resident_id: str, table: Table
) -> Iterator[dict[str, Any]]:
    """What one table of `idp` says of a resident, opened, read in batches."""
    known = HOLDINGS.get(table.name) or Holding(table.name)
    shown = held_columns(table)
    # Messages are opened as rows of their model; what is read besides the shown columns only names the seal.
    found = select(table).where(known.whose(table, resident_id)).order_by(*table.primary_key.columns)
    for row in session.execute(found.execution_options(yield_per=_BATCH)):
        yield {one.name: _value(row, one.name, known.opens.get(one.name), key, vault) for one in shown}


def _value(row: Any, name: str, opener: Opener | None, key: DataKey, vault: Vault) -> Any:
    value = getattr(row, name)
    return value if opener is None or value is None else opener(row, value, key, vault)
