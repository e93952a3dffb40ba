"""The static clients of a run: one for each way that a plan of the suite takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from admin.sandbox.conformance.plan import CLIENTS, PlanProblem
from idp.clients.metadata import Details, NewClient

if TYPE_CHECKING:
    from admin.sandbox.conformance.certificates import Authority, Certified
    from admin.sandbox.conformance.plan import Given, Plan

_BOTH: Final = ("authorization_code", "refresh_token")
_EVERY_GRANT: Final = (*_BOTH, "client_credentials")
_SCOPES: Final = ("openid", "profile", "email", "phone", "address", "offline_access")
_EVERY_TYPE: Final = (
    "code",
    "id_token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
)
#: The plans of OpenID Connect come without PKCE, which Denizen demands of all but the clients of this profile.
_NO_PKCE: Final = "legacy"
_RS256: Final = "RS256"
#: The suite adds this to try whether a query is compared, too.
QUERY: Final = "?dummy1=lorem&dummy2=ipsum"


@dataclass(frozen=True, slots=True)
class StaticClient:
    """A client to be, and what it holds in private: keys, or a certificate; nothing where it brought its own."""

    new: NewClient
    jwks: dict[str, Any] | None = None
    certified: Certified | None = field(default=None, repr=False)
    #: PEM, as given or made.
    certificate: str = ""

    @property
    def name(self) -> str:
        """What it is called, in the town as in the plan's file."""
        return self.new.client_id


def static_clients(plan: Plan, authority: Authority) -> list[StaticClient]:
    """Every client of a run.

    Raises:
        PlanProblem: for a certificate that cannot be read.
    """
    return [_client(name, plan, authority) for name in CLIENTS]


def _client(name: str, plan: Plan, authority: Authority) -> StaticClient:
    given = plan.clients.get(name)
    if name.startswith("fapi2-mtls"):
        return _by_certificate(name, plan, given, authority)
    if name.startswith(("fapi2", "private-key-jwt")):
        return _by_key(name, plan, given)
    method = "client_secret_post" if name == "post" else "client_secret_basic"
    new = _new(
        name,
        plan,
        token_endpoint_auth_method=method,
        id_token_signed_response_alg=_RS256,
        profile=_NO_PKCE,
    )
    if name.startswith("legacy"):
        details = new.details.model_copy(update={"response_types": _EVERY_TYPE})
        new = replace(new, grant_types=(*_BOTH, "implicit"), details=details)
    return StaticClient(new)


def _by_key(name: str, plan: Plan, given: Given | None) -> StaticClient:
    """private_key_jwt; in the profiles of FAPI 2.0 with tokens bound by DPoP."""
    is_fapi = name.startswith("fapi2")
    private = None if given and given.jwks else _made_keys(name, "ES256" if is_fapi else "RS256")
    public = _public(given.jwks if given and given.jwks else private)
    changes: dict[str, Any] = {"jwks": public, "dpop_bound_access_tokens": is_fapi}
    profile = {"fapi2-dpop": "fapi2", "fapi2-signed": "fapi2-signed"}.get(name.removesuffix("-2"), _NO_PKCE)
    new = _new(name, plan, token_endpoint_auth_method="private_key_jwt", profile=profile)  # noqa: S106
    new = replace(
        new,
        grant_types=_EVERY_GRANT if is_fapi else _BOTH,
        details=new.details.model_copy(update=changes),
        id_token_signed_response_alg="ES256" if is_fapi else "RS256",
    )
    return StaticClient(new, private)


def _by_certificate(name: str, plan: Plan, given: Given | None, authority: Authority) -> StaticClient:
    """FAPI 2.0 by mutual TLS: the first by its name under our authority, the second, or one that was given, by its key."""
    if given and given.certificate:
        certified, pem = None, given.certificate
    else:
        certified = authority.for_client(name)
        pem = certified.pem
    by_name = certified is not None and not name.endswith("-2")
    changes: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True}
    if by_name and certified is not None:
        changes["tls_client_auth_subject_dn"] = certified.subject
    else:
        changes["jwks"] = {"keys": [_key_of(name, pem)]}
    method = "tls_client_auth" if by_name else "self_signed_tls_client_auth"
    new = _new(name, plan, token_endpoint_auth_method=method, profile="fapi2")
    new = replace(new, grant_types=_EVERY_GRANT, details=new.details.model_copy(update=changes))
    return StaticClient(new, None, certified, pem)


def _new(name: str, plan: Plan, **more: Any) -> NewClient:
    callback = plan.at("callback")
    return NewClient(
        f"Conformance suite, {name}",
        (callback, f"{callback}{QUERY}"),
        client_id=name,
        post_logout_redirect_uris=(plan.at("post_logout_redirect"),),
        scopes=_SCOPES,
        is_pairwise=False,
        details=Details(
            frontchannel_logout_uri=plan.at("frontchannel_logout"),
            frontchannel_logout_session_required=True,
            backchannel_logout_uri=plan.at("backchannel_logout"),
            backchannel_logout_session_required=True,
            initiate_login_uri=plan.at("login-initiation"),
        ),
        **{"grant_types": _BOTH, **more},
    )


def _made_keys(name: str, alg: str) -> dict[str, Any]:
    """A private key set of one key."""
    parameters: Any = {"kid": f"{name}-{alg.lower()}", "alg": alg, "use": "sig"}
    key = ECKey.generate_key("P-256", parameters) if alg == "ES256" else RSAKey.generate_key(2048, parameters)
    return {"keys": [dict(key.as_dict(private=True)) | parameters]}


def _public(keys: dict[str, Any] | None) -> dict[str, Any]:
    """Only what anybody may know: the suite's own file has the private halves besides."""
    kept = {"kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"}
    found = (keys or {}).get("keys", [])
    return {"keys": [{name: one[name] for name in sorted(kept & one.keys())} for one in found]}


def _key_of(name: str, pem: str) -> dict[str, Any]:
    """The public key of a certificate (RFC 8705 §2.2)."""
    try:
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    except ValueError:
        raise PlanProblem(f"clients.{name}.certificate is no certificate (PEM)") from None
    if isinstance(key, rsa.RSAPublicKey):
        found = RSAKey.import_key(key).as_dict(private=False)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        found = ECKey.import_key(key).as_dict(private=False)
    else:
        raise PlanProblem(f"clients.{name}.certificate has neither an RSA nor an EC key")
    return {**found, "kid": f"{name}-certificate", "use": "sig"}
