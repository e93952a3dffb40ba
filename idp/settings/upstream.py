"""`[upstream]`: providers of the country or of other towns with which residents may sign in."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section, is_loopback

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
#: What another provider may say about a new resident. What the town itself vouches for is not among it.
Attribute = Literal["given_name", "family_name", "middle_name", "nickname", "gender", "birthdate"]


class UpstreamProvider(Section):
    """One OpenID Connect provider, `[[upstream.providers]]`."""

    id: str = Field(
        description="Short name in addresses: lower-case letters, digits, dashes. Never change it."
    )
    names: dict[Literal["en", "fr"], str] = Field(
        min_length=1, description="Name that residents read, per language."
    )
    issuer: str = Field(description="The provider's issuer, letter by letter as its discovery document says.")
    client_id: str = Field(min_length=1, max_length=255, description="Our client id at the provider.")
    client_secret: str = Field("", description="Our client secret at the provider.", repr=False)
    private_key_file: Path | None = Field(
        None, description="File with our private key (PEM), for a provider that wants signed assertions."
    )
    private_key_id: str = Field("", description="Key id (kid) under which the provider knows our public key.")
    authentication: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = Field(
        "client_secret_basic", description="How we prove to the provider who we are."
    )
    scopes: tuple[str, ...] = Field(("openid",), description="Scopes to ask for; openid is among them.")
    acr_values: tuple[str, ...] = Field(
        (), description="Levels to ask for, the provider's own words for them."
    )
    levels: dict[str, Literal["basic", "strong", "phr"]] = Field(
        {}, description="What each acr of the provider counts as here."
    )
    other_levels: Literal["basic", "refuse"] = Field(
        "basic",
        description="What an acr that is not listed, or none, counts as: the lowest level, or nothing.",
    )
    ask_anew: bool = Field(
        True,
        description=(
            "Whether people must prove there anew who they are, even when signed in there, and the provider must say "
            "when they did (auth_time)."
        ),
    )
    algorithms: tuple[Literal["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"], ...] = Field(
        ("RS256", "ES256"), min_length=1, description="Signature algorithms that ID tokens may have."
    )
    newcomers: Literal["refuse", "link", "create"] = Field(
        "link",
        description=(
            "People who are not connected yet: refuse them, let them connect an account by signing in to it, "
            "or let them create an account as well."
        ),
    )
    claims: dict[str, Attribute] = Field(
        {}, description="Which of the provider's claims fill which attributes of a new account."
    )
    trust_email: bool = Field(
        False, description="Whether an address that the provider calls verified needs no mail from us."
    )

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError("use up to 32 lower-case letters, digits and dashes")
        return value

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(value))
        if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("write the issuer as the provider does, beginning with https://")
        return value

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("openid must be among the scopes")
        return value

    @model_validator(mode="after")
    def _check_secret(self) -> UpstreamProvider:
        by_key = self.authentication == "private_key_jwt"
        if by_key and (self.private_key_file is None or self.client_secret):
            raise ValueError("private_key_jwt needs private_key_file, and no client_secret")
        if not by_key and (self.private_key_file is not None or not self.client_secret):
            raise ValueError(f"{self.authentication} needs client_secret, and no private_key_file")
        return self

    def name_in(self, language: str) -> str:
        """The name in a language; in the first one of the settings when there is none in that."""
        return next(
            (name for one, name in self.names.items() if one == language), next(iter(self.names.values()))
        )


class UpstreamSettings(Section):
    """Providers of the country or of other towns with which residents may sign in."""

    providers: tuple[UpstreamProvider, ...] = Field(
        (), description="The providers, each a [[upstream.providers]] with the settings below."
    )

    @model_validator(mode="after")
    def _check_apart(self) -> UpstreamSettings:
        for what in ("id", "issuer"):
            values = [getattr(one, what) for one in self.providers]
            if len(set(values)) < len(values):
                raise ValueError(f"two providers have the same {what}")
        return self
