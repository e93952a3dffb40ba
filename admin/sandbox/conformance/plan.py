"""What a run is described by: one file, TOML or JSON, in which nearly everything may be left out."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from idp.settings.section import check_origin

#: Where the suite's own containers listen, by a name of theirs that means this machine.
SUITE: Final = "https://localhost.emobix.co.uk:8443"
#: Every client that the town knows from the start.
CLIENTS: Final = (
    "basic",
    "basic-2",
    "post",
    "private-key-jwt",
    "legacy",
    "legacy-2",
    "legacy-post",
    "front-channel",
    "back-channel",
    "fapi2-dpop",
    "fapi2-dpop-2",
    "fapi2-key-mtls",
    "fapi2-key-mtls-2",
    "fapi2-mtls",
    "fapi2-mtls-2",
    "fapi2-mtls-dpop",
    "fapi2-mtls-dpop-2",
    "fapi2-signed",
    "fapi2-signed-2",
    "fapi2-mtls-signed",
    "fapi2-mtls-signed-2",
    "fapi2-mtls-dpop-signed",
    "fapi2-mtls-dpop-signed-2",
)
#: The API of the run: it answers whoever brings a live token and holds its key, and has this scope and this permission.
API: Final = "conformance-api"
API_SCOPE: Final = "conformance"
PERMISSION: Final = {"type": "conformance", "actions": ["read"]}


def shows_certificate(name: str) -> bool:
    """Whether a client proves itself by a certificate, or may have its tokens bound to one."""
    kind = name.removesuffix("-2")
    return kind.startswith("fapi2-mtls") or kind in {"fapi2-key-mtls", "fapi2-signed"}


def has_keys(name: str) -> bool:
    """Whether a client signs something: its assertions, or its requests."""
    kind = name.removesuffix("-2")
    by_key = kind.startswith(("fapi2", "private-key-jwt")) and not kind.startswith("fapi2-mtls")
    return by_key or (kind.startswith("fapi2") and kind.endswith("-signed"))


class PlanProblem(Exception):
    """The file cannot be used; the text has a line for each mistake."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Given(_Part):
    """What a client brings along, by its name. What is left out is made, and printed with its private half."""

    #: Its keys; private halves are passed over.
    jwks: dict[str, Any] | None = None
    #: PEM, of a client that proves itself by mutual TLS.
    certificate: str = ""


class Plan(_Part):
    """A run. Paths are looked for beside the file."""

    alias: str = Field("denizen", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    suite: str = SUITE
    #: The authority that signed the suite's certificate, if no public one did.
    suite_ca: Path | None = None
    #: The town's own certificate and key; made, with an authority for them, when left out.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    #: What tokens can be signed with. The suite's check of turned keys cannot read a new EdDSA key.
    algorithms: tuple[Literal["RS256", "ES256", "PS256", "EdDSA"], ...] = ("RS256", "ES256", "PS256")
    clients: dict[str, Given] = Field(default_factory=dict)

    _suite = field_validator("suite")(check_origin)

    @field_validator("clients")
    @classmethod
    def _check_names(cls, value: dict[str, Given]) -> dict[str, Given]:
        if unknown := sorted(set(value) - set(CLIENTS)):
            raise ValueError(f"there is no client {', '.join(unknown)}; the clients are {', '.join(CLIENTS)}")
        for name, given in value.items():
            if given.certificate and not shows_certificate(name):
                raise ValueError(f"{name} shows no certificate")
            if given.jwks is not None and not has_keys(name):
                raise ValueError(f"{name} has no keys")
        return value

    @model_validator(mode="after")
    def _check_tls(self) -> Plan:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        return self

    def at(self, path: str) -> str:
        """An address of the suite for this run."""
        return f"{self.suite}/test/a/{self.alias}/{path}"


def read_plan(path: Path | None) -> Plan:
    """The plan of a file, by its ending TOML or JSON; without a file, the usual one.

    Raises:
        PlanProblem: naming every mistake.
    """
    if path is None:
        return Plan()
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        plan = Plan(**values)
    except (OSError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise PlanProblem(_explained(path, error)) from None
    beside = {
        name: path.parent / found
        for name in ("suite_ca", "tls_certificate", "tls_key")
        if (found := getattr(plan, name)) is not None
    }
    return plan.model_copy(update=beside)


def _explained(path: Path, error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{path}: {error}"
    problems = error.errors(include_url=False, include_input=False)
    return "\n".join(f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems)
