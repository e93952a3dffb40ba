"""An authorization request: a draft while it is being checked, a frozen value once every check has passed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import orjson

from idp.oidc.claims_request import NOTHING_ASKED, ClaimsRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.clients.details_types import DetailsType
    from idp.clients.registry import Client
    from idp.oidc.errors import Refusal
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
    #: Its values in alphabetical order.
    response_type: str = "code"
    #: How the answer travels: `query`, `fragment` or `form_post`, with `.jwt` for JARM.
    response_mode: str = "query"
    #: Claims asked for by name, and permissions for single matters: JSON of `claims_request`, `authorization_details`.
    claims: str | None = None
    authorization_details: str | None = None
    #: Of these subjects one must answer, if there are any (OIDC Core §5.5.1).
    sub_values: tuple[str, ...] = ()
    #: The pushed request that it is, which its answer spends (`idp.oidc.pushed`).
    pushed: str | None = None
    #: The device that asks, and the run through the pages that answers it (RFC 8628); empty for everybody else.
    device: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The request as it is kept while its resident signs in."""
        return orjson.dumps({one.name: getattr(self, one.name) for one in fields(self)}).decode()

    @classmethod
    def from_json(cls, text: str) -> AuthorizationRequest:
        """A kept request."""
        values: dict[str, Any] = orjson.loads(text)
        kept: dict[str, Any] = {n: tuple(one) if isinstance(one, list) else one for n, one in values.items()}
        return cls(**kept)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A pushed request that is brought; `request.pushed` names it."""

    request: AuthorizationRequest
    login_hint: str


@dataclass(slots=True)
class Draft:
    """A request under examination. Each check reads `unverified` and sets the fields it vouches for.

    As long as `redirect_uri` is None no answer may go anywhere but to the person in front of us.
    """

    unverified: Parameters
    find_client: Callable[[str], Client | None]
    read_hint: Callable[[str], Hint | None]
    find_resource: Callable[[str], Client | None]
    find_pushed: Callable[[str, str], Pushed | None]
    read_object: Callable[[Client, str], Parameters]
    fetch_object: Callable[[Client, str], str]
    #: Whether it is being pushed, and whether its client signed it.
    is_pushed: bool = False
    is_signed: bool = False
    #: Whether every check has passed, or which refusal ended them.
    is_checked: bool = False
    refusal: Refusal | None = None
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
    response_type: str = "code"
    response_mode: str = "query"
    claims: str | None = None
    authorization_details: str | None = None
    sub_values: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    #: The `claims` parameter as it was read, for the checks that follow.
    asked: ClaimsRequest = NOTHING_ASKED
    #: What permissions of a type look like that a client may ask for.
    find_details_type: Callable[[Client, str], DetailsType | None] = lambda _client, _name: None
    #: Whether an identifier of an API is our own.
    is_own_resource: Callable[[str], bool] = lambda _: False
    pushed: str | None = None

    def take(self, kept: AuthorizationRequest) -> None:
        """Become a request of this client that was checked before."""
        for one in fields(kept):
            if one.name != "client_id":
                setattr(self, one.name, getattr(kept, one.name))

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
            response_type=self.response_type,
            response_mode=self.response_mode,
            claims=self.claims,
            authorization_details=self.authorization_details,
            sub_values=self.sub_values,
            device=self.device,
            pushed=self.pushed,
        )
