"""The static clients of a run: one for each way that a plan of the suite takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from admin.sandbox.conformance.plan import API, API_SCOPE, CLIENTS, PERMISSION, PlanProblem, shows_certificate
from idp.clients.details_types import DetailsField, DetailsType
from idp.clients.metadata import Details, NewClient
from idp.oidc.every_claim import PURPOSE

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


def api_server() -> NewClient:
    """The API that the tokens of the FAPI plans are for: its scope, and the one type of permission of the run."""
    said = {"en": "Try a permission of the conformance run."}
    actions = DetailsField(kind="texts", label={"en": "What it may do"})
    permission = DetailsType(type=PERMISSION["type"], purpose=PURPOSE, text=said, field={"actions": actions})
    return NewClient(
        "Conformance API",
        client_id=API,
        grant_types=("client_credentials",),
        scopes=(),
        protects_scopes=(API_SCOPE,),
        details=Details(authorization_details_type=(permission,)),
    )


def _client(name: str, plan: Plan, authority: Authority) -> StaticClient:
    given = plan.clients.get(name)
    if name.startswith("fapi2-mtls"):
        return _by_certificate(name, plan, given, authority)
    if name.startswith(("fapi2", "private-key-jwt")):
        return _by_key(name, plan, given, authority)
    method = "client_secret_post" if name.endswith("post") else "client_secret_basic"
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


def _by_key(name: str, plan: Plan, given: Given | None, authority: Authority) -> StaticClient:
    """private_key_jwt; in the profiles of FAPI 2.0 with tokens bound by DPoP or to a certificate, as the name says.

    `fapi2-signed` may have its tokens bound in either way.
    """
    is_fapi, kind = name.startswith("fapi2"), name.removesuffix("-2")
    private = None if given and given.jwks else _made_keys(name, "ES256" if is_fapi else _RS256)
    public = _public(given.jwks if given and given.jwks else private)
    changes = {"jwks": public, **_bound(kind)}
    new = _new(name, plan, token_endpoint_auth_method="private_key_jwt", profile=_profile(kind))  # noqa: S106
    new = replace(
        new,
        grant_types=_EVERY_GRANT if is_fapi else _BOTH,
        details=new.details.model_copy(update=changes),
        id_token_signed_response_alg="ES256" if is_fapi else _RS256,
    )
    if not shows_certificate(name):
        return StaticClient(new, private)
    certified, pem = _certified(name, given, authority)
    return StaticClient(new, private, certified, pem)


def _by_certificate(name: str, plan: Plan, given: Given | None, authority: Authority) -> StaticClient:
    """FAPI 2.0 by mutual TLS: the first by its name under our authority, the second, or one that was given, by its key.

    One that signs its requests has a key for that besides.
    """
    certified, pem = _certified(name, given, authority)
    by_name = certified is not None and not name.endswith("-2")
    kind = name.removesuffix("-2")
    changes: dict[str, Any] = dict(_bound(kind))
    private, keys = None, []
    if _profile(kind) == "fapi2-signed":
        private = None if given and given.jwks else _made_keys(name, "ES256")
        keys = _public(given.jwks if given and given.jwks else private)["keys"]
    if by_name and certified is not None:
        changes["tls_client_auth_subject_dn"] = certified.subject
    else:
        keys = [*keys, _key_of(name, pem)]
    if keys:
        changes["jwks"] = {"keys": keys}
    method = "tls_client_auth" if by_name else "self_signed_tls_client_auth"
    new = _new(name, plan, token_endpoint_auth_method=method, profile=_profile(kind))
    new = replace(new, grant_types=_EVERY_GRANT, details=new.details.model_copy(update=changes))
    return StaticClient(new, private, certified, pem)


def _certified(name: str, given: Given | None, authority: Authority) -> tuple[Certified | None, str]:
    """A certificate, made unless one was given, and its PEM."""
    if given and given.certificate:
        _key_of(name, given.certificate)  # one that cannot be read is told here
        return None, given.certificate
    made = authority.for_client(name)
    return made, made.pem


def _bound(kind: str) -> dict[str, bool]:
    """How the tokens of a client must be bound, as its name says."""
    if "dpop" in kind:
        return {"dpop_bound_access_tokens": True}
    return {"tls_client_certificate_bound_access_tokens": True} if "mtls" in kind else {}


def _profile(kind: str) -> str:
    if not kind.startswith("fapi2"):
        return _NO_PKCE
    return "fapi2-signed" if kind.endswith("-signed") else "fapi2"


def _new(name: str, plan: Plan, **more: Any) -> NewClient:
    callback = plan.at("callback")
    return NewClient(
        f"Conformance suite, {name}",
        (callback, f"{callback}{QUERY}"),
        client_id=name,
        post_logout_redirect_uris=(plan.at("post_logout_redirect"),),
        scopes=(*_SCOPES, API_SCOPE) if name.startswith("fapi2") else _SCOPES,
        is_pairwise=False,
        details=Details(
            authorization_details_types=(PERMISSION["type"],) if name.startswith("fapi2") else (),
            initiate_login_uri=plan.at("login-initiation"),
            **_told_of_endings(name, plan),
        ),
        **{"grant_types": _BOTH, **more},
    )


def _told_of_endings(name: str, plan: Plan) -> dict[str, Any]:
    """How a client learns that a session has ended. To a module of another plan it would be a call out of the blue."""
    if name not in ("front-channel", "back-channel"):
        return {}
    channel = name.replace("-", "")
    return {
        f"{channel}_logout_uri": plan.at(f"{channel}_logout"),
        f"{channel}_logout_session_required": True,
    }


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
