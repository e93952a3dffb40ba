"""Every way in that a town has, by its settings: for the pages of sign-in, and for whatever takes one away."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from idp.login import passkey_sign_in
from idp.login import service as login
from idp.login.cards.service import CARD_WAY, PAPER_WAY
from idp.login.codes import service as codes
from idp.login.levels import BASIC, rank
from idp.login.otp import service as otp
from idp.login.recovery_codes import service as recovery_codes
from idp.login.upstream import identities as upstream_identities
from idp.login.ways import Ways

if TYPE_CHECKING:
    from idp.settings import Settings

#: The factors that every town has.
WAYS = Ways((login.WAY, otp.WAY, CARD_WAY, PAPER_WAY, recovery_codes.WAY))


def ways_of(settings: Settings) -> Ways:
    """The town's ways in: passkeys where it has a name, text messages where it sends any, providers where it knows some."""
    providers = tuple(
        (one.id, max(one.levels.values(), key=rank, default=BASIC)) for one in settings.upstream.providers
    )
    return _ways(settings.passkey_domain, settings.sms.enabled, providers)


@lru_cache(maxsize=8)
def _ways(passkey_domain: str, has_sms: bool, providers: tuple[tuple[str, str], ...]) -> Ways:  # noqa: FBT001 - as it is kept
    """The same for the same settings: its statement is built once."""
    passkeys = (passkey_sign_in.way(passkey_domain),) if passkey_domain else ()
    upstream = (upstream_identities.way(dict(providers)),) if providers else ()
    return Ways((*passkeys, *WAYS.all, *codes.ways(has_sms=has_sms), *upstream))
