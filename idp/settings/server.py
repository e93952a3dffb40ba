"""`[server]`: where residents and staff reach the town."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section, as_address, check_origin, is_address, is_port


class ServerSettings(Section):
    """Where residents and staff reach the town."""

    issuer: str = Field(description="Address residents and partners use; the OpenID Connect issuer.")
    staff_url: str = Field(
        description="Address of the staff pages; another host name or port than the issuer."
    )
    bind: str = Field("127.0.0.1:8400", description="Address and port on which the resident app listens.")
    staff_bind: str = Field(
        "", description="Own address and port for the staff app; empty: the same listener, by host name."
    )
    workers: int = Field(1, ge=1, le=64, description="Server processes. SQLite allows exactly one.")
    threads: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Requests that one process works on at the same time; one that takes long does not count. Unset: 1 with SQLite, 2 with PostgreSQL.",
    )
    worker: Literal["inside", "own"] = Field(
        "inside",
        description="Who sends messages, turns keys and clears up: serve itself, or `denizen worker`.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="Certificate chain (PEM) with which Denizen speaks TLS itself; unset: a proxy in front does.",
    )
    tls_key: Path | None = Field(
        None, description="Private key of tls_certificate: PKCS 8, PEM, without a password."
    )
    tls_minimum: Literal["1.2", "1.3"] = Field(
        "1.2", description="Oldest version of TLS that Denizen itself speaks."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of reverse proxies whose X-Forwarded-For is believed."
    )
    proxy_secret: str = Field(
        "",
        description="Ends the names of the proxy's headers, X-Forwarded-For-… and Client-Cert-…, so that nobody else can write them: 32 or more small letters and digits; mtls_url needs it.",
        repr=False,
    )
    mtls_url: str = Field(
        "",
        description="Address at which the proxy asks for client certificates and passes them on as Client-Cert-…; may be the issuer; empty: none is believed.",
    )
    client_ca: Path | None = Field(
        None,
        description="File with the authorities whose certificates prove clients (tls_client_auth, PEM).",
    )
    rp_id: str = Field("", description="Domain that passkeys belong to; empty: the host name of the issuer.")

    _origins = field_validator("issuer", "staff_url")(check_origin)

    @field_validator("mtls_url")
    @classmethod
    def _check_mtls_url(cls, value: str) -> str:
        return check_origin(value) if value else value

    @field_validator("bind", "staff_bind")
    @classmethod
    def _check_bind(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (is_address(host.strip("[]")) and is_port(port)):
            raise ValueError("write address:port, such as 127.0.0.1:8400")
        return value

    @field_validator("proxy_secret")
    @classmethod
    def _check_proxy_secret(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z0-9]{32,128}", value):
            raise ValueError(
                "write 32 or more small letters and digits, as `openssl rand -hex 16` makes them"
            )
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(as_address, value))

    @model_validator(mode="after")
    def _check_rp_id(self) -> ServerSettings:
        host = urlsplit(self.issuer).hostname or ""
        is_parent = "." in self.rp_id and host.endswith(f".{self.rp_id}")
        if self.rp_id and (is_address(host) or not (self.rp_id == host or is_parent)):
            raise ValueError("rp_id must be the host name of issuer or a domain above it")
        return self

    @model_validator(mode="after")
    def _check_certificates(self) -> ServerSettings:
        if self.mtls_url and not self.trusted_proxies:
            raise ValueError(
                "mtls_url needs trusted_proxies: Denizen's own TLS asks nobody for a certificate, so only a proxy "
                "of yours can say who holds a key"
            )
        if self.mtls_url and not self.proxy_secret:
            raise ValueError(
                "mtls_url needs proxy_secret: else whoever gets a header past the proxy could act as any client "
                "that proves itself by a certificate"
            )
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> ServerSettings:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key belong together")
        if self.tls_certificate and not self.issuer.startswith("https:"):
            raise ValueError("tls_certificate needs an issuer that begins with https://")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address under which the town is reached."""
        return tuple(filter(None, (self.issuer, self.staff_url, self.mtls_url)))

    @model_validator(mode="after")
    def _check_apart(self) -> ServerSettings:
        if self.issuer == self.staff_url:
            raise ValueError(
                "staff_url must differ from issuer, so that no resident cookie reaches a staff page"
            )
        return self
