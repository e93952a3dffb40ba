"""An authorization request: a draft while it is being checked, a frozen value once every check has passed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.clients.registry import Client
    from idp.oidc.hints import Hint
    from idp.web.incoming import Parameters


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a partner asked for (OIDC Core §3.1.2.1), checked. `subject` is whom its id_token_hint names.

    `acr_values` are the levels it likes, `essential_acr` those of which one must be reached; known ones only.
    """

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    code_challenge: str
    state: str | None = None
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    ui_locales: str | None = None
    subject: str | None = None
    acr_values: tuple[str, ...] = ()
    essential_acr: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    resource: str | None = None

    def to_json(self) -> str:
        """The request as it is kept while its resident signs in."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> AuthorizationRequest:
        """A kept request."""
        values: dict[str, Any] = orjson.loads(text)
        kept: dict[str, Any] = {n: tuple(one) if isinstance(one, list) else one for n, one in values.items()}
        return cls(**kept)


@dataclass(slots=True)
class Draft:
    """A request under examination. Each check reads `unverified` and sets the fields it vouches for.

    As long as `redirect_uri` is None no answer may go anywhere but to the person in front of us.
    """

    unverified: Parameters
    find_client: Callable[[str], Client | None]
    read_hint: Callable[[str], Hint | None]
    find_resource: Callable[[str], Client | None]
    client: Client | None = None
    redirect_uri: str | None = None
    scope: tuple[str, ...] = ()
    code_challenge: str = ""
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    state: str | None = None
    nonce: str | None = None
    ui_locales: str | None = None
    subject: str | None = None
    acr_values: tuple[str, ...] = ()
    essential_acr: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    resource: str | None = None

    def frozen(self) -> AuthorizationRequest:
        """The request, once every check has passed."""
        assert self.client is not None
        assert self.redirect_uri is not None
        return AuthorizationRequest(
            client_id=self.client.client_id,
            redirect_uri=self.redirect_uri,
            scope=self.scope,
            code_challenge=self.code_challenge,
            state=self.state,
            nonce=self.nonce,
            prompt=self.prompt,
            max_age=self.max_age,
            ui_locales=self.ui_locales,
            subject=self.subject,
            acr_values=self.acr_values,
            essential_acr=self.essential_acr,
            dpop_jkt=self.dpop_jkt,
            resource=self.resource,
        )
