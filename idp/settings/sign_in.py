"""`[sessions]` and `[passwords]`: how long a sign-in lasts, and what a guess costs."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


class SessionSettings(Section):
    """Lifetimes of sign-ins, in seconds."""

    idle_for: int = Field(
        4 * 3600, ge=300, description="A resident is signed out after this long without use."
    )
    absolute_for: int = Field(
        24 * 3600, ge=300, description="A resident signs in again after this long in any case."
    )
    strong_idle_for: int = Field(
        3600, ge=300, description="The same as idle_for, for a sign-in with two factors (level strong)."
    )
    strong_absolute_for: int = Field(
        24 * 3600, ge=300, description="The same as absolute_for, for a sign-in with two factors."
    )
    phr_idle_for: int = Field(
        3600, ge=300, description="The same as idle_for, for a sign-in with a passkey (level phr)."
    )
    phr_absolute_for: int = Field(
        12 * 3600, ge=300, description="The same as absolute_for, for a sign-in with a passkey."
    )
    shared_idle_for: int = Field(
        300, ge=120, description="On a shared computer, a resident is signed out after this long without use."
    )
    shared_absolute_for: int = Field(
        1200,
        ge=120,
        description="On a shared computer, a resident is signed out after this long in any case.",
    )
    strong_for: int = Field(
        4 * 3600,
        ge=60,
        description="A service that demands strong or phr asks for a new sign-in after this long.",
    )
    browser_check: bool = Field(
        True,
        description="Lets partners' pages ask in the browser whether a session has ended (OpenID Connect Session Management).",
    )
    staff_idle_for: int = Field(1800, ge=60, description="Staff are signed out after this long without use.")
    staff_absolute_for: int = Field(12 * 3600, ge=300, description="Staff sign in again after this long.")


class PasswordSettings(Section):
    """Cost of a password guess: Argon2id (RFC 9106), never below the OWASP minimum."""

    memory_kib: int = Field(19_456, ge=19_456, le=4_194_304, description="Argon2id memory in KiB.")
    iterations: int = Field(2, ge=2, le=64, description="Argon2id iterations.")
    lanes: int = Field(1, ge=1, le=64, description="Argon2id parallelism.")
    minimum_length: int = Field(15, ge=15, le=64, description="Shortest password that stands alone.")
    minimum_length_with_second: int = Field(
        8, ge=8, le=64, description="Shortest password of a resident who always proves a second factor, too."
    )
    breached_file: str = Field(
        "",
        description="List of known passwords that `denizen passwords import` makes; empty: only a short one of ours.",
    )
