"""Tokens bound to a key: who presents one must prove to hold it (RFC 8705 §3, RFC 9449 §5–7).

A binding is kept as one text, `jkt …` for DPoP or `x5t#S256 …` for a certificate: the member of `cnf` (RFC 7800).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from idp.oidc import certificates, dpop
from idp.oidc.errors import Refusal

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

_BY_KEY, _BY_CERTIFICATE = "jkt ", "x5t#S256 "


class Proven(NamedTuple):
    """What a token request proves: to what new tokens will be bound, None for bearer tokens, and its DPoP key if it has one.

    A code can be bound to a DPoP key though the tokens will be to a certificate (RFC 9449 §10).
    """

    bound_to: str | None
    jkt: str | None


def of_token_request(provider: Provider, client: Client, incoming: Incoming, path: str = "/token") -> Proven:
    """What a client proves to hold for its new tokens.

    A proof that is there must hold, whatever the tokens will be bound to (RFC 9449 §5).

    Raises:
        Refusal: when a proof does not hold, or one is missing from a client that must have it.
    """
    if not client.is_constrained and dpop.HEADER not in incoming.environ:
        return Proven(None, None)
    jkt = dpop.proven_key(provider, incoming, path, needs_nonce=client.profile.dpop_nonce)
    return Proven(_binding(client, incoming, jkt), jkt)


def _binding(client: Client, incoming: Incoming, jkt: str | None) -> str:
    if client.details.dpop_bound_access_tokens and jkt is None:
        return _refused("a DPoP proof")
    if client.details.tls_client_certificate_bound_access_tokens:
        return _by_certificate(incoming) or _refused("a certificate")
    if jkt is not None:
        return _BY_KEY + jkt
    return _by_certificate(incoming) or _refused("a DPoP proof or a certificate")


def _by_certificate(incoming: Incoming) -> str | None:
    found = certificates.presented(incoming)
    return _BY_CERTIFICATE + found.thumbprint if found else None


def _refused(what: str) -> str:
    """Nothing is wrong with a proof that is missing: `invalid_dpop_proof` is for one that is there (RFC 9449 §5)."""
    raise Refusal("invalid_request", f"This client must prove its key with {what}")


def jkt_of(binding: str | None) -> str | None:
    """The thumbprint of the DPoP key of a binding; None when it is none of DPoP."""
    return binding[len(_BY_KEY) :] if binding is not None and binding.startswith(_BY_KEY) else None


def confirmation(binding: str) -> dict[str, str]:
    """The `cnf` of a bound token (RFC 7800 §3.1)."""
    method, _, thumbprint = binding.partition(" ")
    return {method: thumbprint}


def token_type(binding: str | None) -> str:
    """How a token is presented (RFC 9449 §5; a certificate-bound one stays a bearer token in name)."""
    return "DPoP" if jkt_of(binding) else "Bearer"


def check_presented(
    provider: Provider, incoming: Incoming, path: str, *, scheme: str, access_token: str, binding: str | None
) -> None:
    """See that whoever presents a token at a resource of ours holds its key (RFC 9449 §7.1, RFC 8705 §3).

    `scheme` is the one of the Authorization header in lower case.

    Raises:
        Refusal: invalid_token, invalid_dpop_proof or use_dpop_nonce, with status 401.
    """
    jkt = jkt_of(binding)
    if (scheme == "dpop") != (jkt is not None):
        raise Refusal(
            "invalid_token", "The token is presented in another way than it was given for", status=401
        )
    if binding is None:
        return
    if jkt is None:
        if _by_certificate(incoming) != binding:
            raise Refusal("invalid_token", "The token is bound to another certificate", status=401)
        return
    proven = dpop.proven_key(provider, incoming, path, access_token=access_token)
    if proven is None:
        raise Refusal("invalid_dpop_proof", "The DPoP proof is missing", status=401)
    if proven != jkt:
        raise Refusal("invalid_token", "The token is bound to another key", status=401)
