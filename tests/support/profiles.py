"""Two clients of each security profile, for attacks that must fail whatever the profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from idp.clients.metadata import Details, NewClient
from idp.clients.profiles import PROFILES
from tests.support.proving import BOTH, SCOPE, SCOPES, Prover, dpop, jwks, key_for

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from idp.clients.profiles import Profile
    from tests.support.proving import Proving
    from tests.support.town import Browser, Proof

ROTATING = [one.name for one in PROFILES.values() if one.rotates_refresh]
LASTING = [one.name for one in PROFILES.values() if not one.rotates_refresh]
_KEY = key_for("ES256", "profiles")


@dataclass(frozen=True)
class Pair:
    """Clients of one profile: whose codes and tokens these are, and who would like to have them.

    Maria's browser is another than that of other tests: what page it is left on is no business of theirs.
    """

    proving: Proving
    browser: Browser
    profile: Profile
    owner: Prover
    thief: Prover

    def code(self, proof: Proof) -> str:
        """A fresh code of the owner's, asked for as strictly as its profile demands."""
        proving, owner = self.proving, self.owner
        form = owner.partner.request(SCOPE, proof)
        if self.profile.signed_request_required:
            form = {"client_id": owner.client_id, "request": owner.request_object(proving.now, proof)}
        pushed = proving.post("/par", proving.authenticated(owner, form))
        return self.browser.go_through(proving.town.maria, proving.bring(owner, pushed, self.browser))

    def redeem(self, prover: Prover, code: str, proof: Proof, **change: str | None) -> TestResponse:
        """Bring a code; a parameter that is changed to None is left out."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.owner.partner.redirect_uri,
            "code_verifier": proof.verifier,
            **change,
        }
        return self.post(prover, {name: value for name, value in form.items() if value is not None})

    def refresh(self, prover: Prover, tokens: dict[str, Any]) -> TestResponse:
        return self.post(prover, {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})

    def post(self, prover: Prover, form: dict[str, str]) -> TestResponse:
        """A token request, with a proof where the profile demands one."""
        return self.proving.post("/token", self.proving.authenticated(prover, form), self._proof())

    def is_good(self, tokens: dict[str, Any]) -> bool:
        """Whether an access token reads userinfo."""
        token = tokens["access_token"]
        headers = self._proof(path="/userinfo", method="GET", token=token)
        status = self.proving.userinfo(
            {"Authorization": f"{tokens['token_type']} {token}", **headers}
        ).status_code
        assert status in (200, 401)
        return status == 200

    def is_active(self, token: str) -> bool:
        """What the owner is told of a token."""
        form = self.proving.authenticated(self.owner, {"token": token})
        return bool(self.proving.post("/introspect", form).json["active"])

    def _proof(self, **more: Any) -> dict[str, str]:
        if not self.profile.sender_constrained:
            return {}
        return {"DPoP": dpop(_KEY, now=self.proving.now, **more)}


@pytest.fixture(scope="session")
def pairs(proving: Proving) -> dict[str, Pair]:
    """By the name of the profile; Maria has agreed with the owners."""
    made = {}
    for profile in PROFILES.values():
        owner, thief = (_registered(proving, f"{who}-{profile.name}", profile) for who in ("owner", "thief"))
        made[profile.name] = Pair(proving, proving.town.browser(), profile, owner, thief)
    proving.town.fresh()
    return made


def _registered(proving: Proving, name: str, profile: Profile) -> Prover:
    new = NewClient(
        f"Service {name}",
        (f"https://{name}.example/cb",),
        client_id=name,
        token_endpoint_auth_method="private_key_jwt",
        grant_types=BOTH,
        scopes=SCOPES,
        profile=profile.name,
        id_token_signed_response_alg="ES256",
        details=Details(jwks=jwks(key_for("ES256", name))),
    )
    partner = proving.town.add_client(new, basis="public_task", required=("name", "email"))
    return Prover(partner, key_for("ES256", name))
