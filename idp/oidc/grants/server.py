"""Authlib's authorization server, reading our requests and giving our answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.errors import UnauthorizedClientError, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from idp.oidc import binding
from idp.oidc.authenticate import authenticate_client
from idp.oidc.errors import Refusal
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.binding import Proven
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming


PATH = "/token"


class FormRequest(OAuth2Request):
    """A token request: the form body only, never the address (RFC 6749 §3.2)."""

    def __init__(self, incoming: Incoming) -> None:
        # Authlib's own initialiser judges the address scheme; ours is judged once, in the settings.
        self.method = incoming.method
        self.incoming = incoming
        self.payload = BasicOAuth2Payload(incoming.form)
        self.client: Client | None = None

    @property
    def form(self) -> dict[str, str]:
        """The form's fields."""
        return self.incoming.form


class TokenServer(AuthorizationServer):
    """Dispatches token requests to the grants registered with it."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider

    def create_oauth2_request(self, request: Incoming) -> FormRequest:
        """Wrap a request of ours."""
        return FormRequest(request)

    def get_token_grant(self, request: FormRequest) -> Any:
        """The grant asked for; Authlib's own refusal would repeat what was sent (RFC 6749 §5.2)."""
        try:
            return super().get_token_grant(request)
        except UnsupportedGrantTypeError:
            raise Refusal("unsupported_grant_type", "This grant_type is not supported") from None

    def authenticate_client(
        self,
        request: FormRequest,
        methods: Any,  # noqa: ARG002 - each client has its one method
        endpoint: str = "token",  # noqa: ARG002 - and the same one everywhere
    ) -> Client:
        """Our own authentication instead of Authlib's, which accepts two methods at once."""
        return authenticate_client(self.provider, request.incoming, path=PATH, takes_proof=True)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Signals are not used."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:  # noqa: ARG002 - ours are stricter
        """Every answer is JSON that nobody may keep (RFC 6749 §5.1)."""
        return json_answer(status, body)


class TokenGrant(BaseGrant, TokenEndpointMixin):
    """What every grant at the token endpoint shares."""

    request: FormRequest
    server: TokenServer

    @property
    def client(self) -> Client:
        """The client, once `validate_token_request` has authenticated it."""
        assert self.request.client is not None
        return self.request.client

    def validate_token_request(self) -> None:
        """Authenticate the client and see that it may use this grant."""
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("The client is not registered for this grant_type")
        self.request.client = client

    def proven(self) -> Proven:
        """To which key the tokens will be bound; find out before anything is spent, outside a transaction."""
        return binding.of_token_request(self.server.provider, self.client, self.request.incoming, PATH)

    def required(self, name: str) -> str:
        """A parameter of the form that must be there."""
        value = self.request.form.get(name)
        if value is None:
            raise Refusal("invalid_request", f"{name} is missing")
        if "\0" in value:  # PostgreSQL would not even compare it
            raise Refusal("invalid_request", f"{name} has a character that it cannot have")
        return value
