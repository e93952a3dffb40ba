"""The claims about a resident that a grant lets a client have now, read and opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, select

from idp.accounts.models import Attribute, Resident
from idp.accounts.service import seal_context
from idp.oidc import step_up
from idp.oidc.claims_request import read_kept
from idp.oidc.rules import claim_values, needed_for, released, sources_of
from idp.statements import prepared

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from keys.envelope import DataKey

_READ = prepared(
    select(Resident.changed_at, Attribute.name, Attribute.value, Attribute.verified_at)
    .join_from(Resident, Attribute, Attribute.resident_id == Resident.id, isouter=True)
    .where(Resident.id == bindparam("resident_id_"))
)


def id_token_claims(  # noqa: PLR0917
    provider: Provider,
    connection: Any,
    client: Client,
    grant: Any,
    family: Any,
    granted: Collection[str],
    *,
    scope: Collection[str] = (),
    now: int,
) -> dict[str, Any]:
    """What an ID token says about its resident: claims asked for by name there, and those of `scope` if there is any.

    A request that names none, which is nearly every one, costs nothing. What today needs a stronger sign-in than this
    one was is left out. `grant` is a row of `service.read_grant`, `granted` the claims that are left of it.
    """
    by_name = read_kept(family.asked_claims).id_token
    if not by_name and not scope:
        return {}
    allowed = released(scope, by_name, granted)
    if not allowed or lacking_for(provider, client, allowed, acr=family.acr):
        return {}
    rows = connection.execute(_READ, {"resident_id_": grant.resident_id}).all()
    data_key = provider.context.vault.open_data_key(grant.data_key)
    return opened(data_key, grant.resident_id, rows, allowed, now=now)


def opened(
    data_key: DataKey, resident_id: str, rows: Sequence[Any], claims: Collection[str], *, now: int
) -> dict[str, Any]:
    """Claims from rows of attributes, each with `name`, `value`, `verified_at`, and the resident's `changed_at`."""
    wanted = {source for claim in claims for source in sources_of(claim)}
    attributes = {
        row.name: orjson.loads(data_key.open(row.value, seal_context(resident_id, row.name)))
        for row in rows
        if row.name in wanted
    }
    verified = frozenset(row.name for row in rows if row.name is not None and row.verified_at is not None)
    return claim_values(claims, attributes, verified, changed_at=rows[0].changed_at, now=now)


def lacking_for(provider: Provider, client: Client, claims: Collection[str], *, acr: str) -> str:
    """The level that a sign-in lacks for these claims, by what the client is registered with today; "" for none."""
    purposes = provider.purposes_of(client.client_id)
    return step_up.lacking(step_up.minimum_acr(client, purposes, needed_for(claims)), acr)
