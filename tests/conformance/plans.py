"""The variants of the FAPI 2.0 plans, and which of them a module is for (§1.2 of what the suite asks)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Variant:
    """What the user picks: `auth` is client_auth_type, `bound` sender_constrain; the others by their names."""

    auth: str
    bound: str
    openid: bool = True
    rar: bool = False
    signed: bool = False
    jarm: bool = False
    credentials: bool = False

    def __str__(self) -> str:
        words = [self.auth, self.bound, "openid_connect" if self.openid else "plain_oauth"]
        more = {
            "rar": self.rar,
            "signed": self.signed,
            "jarm": self.jarm,
            "client_credentials": self.credentials,
        }
        return "-".join([*words, *(name for name, is_so in more.items() if is_so)])

    @property
    def configuration(self) -> str:
        """The name under which `denizen conformance` prints what is pasted into the suite."""
        if self.signed:
            return f"fapi2-message-signing-{self.auth}-{self.bound}"
        kind = "" if self.openid else "-client_credentials" if self.credentials else "-plain_oauth"
        return f"fapi2-{self.auth}-{self.bound}{kind}"


#: Both plans' certification variants of plain FAPI; authorization_request_type=rar once with each kind of binding.
PROFILE = [
    Variant(auth, bound, openid)
    for openid in (True, False)
    for auth in ("private_key_jwt", "mtls")
    for bound in ("dpop", "mtls")
]
RAR = [replace(PROFILE[0], rar=True), replace(PROFILE[7], rar=True)]
SIGNED = [
    Variant("private_key_jwt", "dpop", signed=True),
    Variant("private_key_jwt", "dpop", signed=True, jarm=True),
    Variant("private_key_jwt", "mtls", signed=True, jarm=True),
    Variant("mtls", "dpop", signed=True, jarm=True),
    Variant("mtls", "mtls", signed=True, jarm=True),
]
CREDENTIALS = [replace(one, credentials=True) for one in PROFILE if not one.openid]
CODE = [*PROFILE, *RAR, *SIGNED]


def module(
    *, of: Iterable[Variant] = CODE, **wanted: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as a module of the variants that have these values, such as `bound="dpop"`."""
    found = [one for one in of if all(getattr(one, name) == value for name, value in wanted.items())]

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        test.variants = found  # type: ignore[attr-defined]
        return pytest.mark.parametrize("variant", found, ids=str)(test)

    return mark


def modules_of(variant: Variant, *files: Any) -> list[str]:
    """The names of the modules that a variant runs, each of which stands in one file."""
    return [
        name
        for file in files
        for name, test in vars(file).items()
        if variant in getattr(test, "variants", ())
    ]
