"""`[mail]`: how mail leaves the town."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads annotations
from typing import Literal

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section, check_mailbox


class MailSettings(Section):
    """How mail leaves the town."""

    host: str = Field("127.0.0.1", description="Name or address of the SMTP server.")
    port: int = Field(25, ge=1, le=65535, description="Port of the SMTP server.")
    username: str = Field("", description="User name at the SMTP server; empty: no authentication.")
    password: str = Field("", description="Password at the SMTP server.", repr=False)
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="Encryption on the way to the SMTP server; none only on one machine."
    )
    ca_file: Path | None = Field(
        None,
        description="File of the authority that signed the SMTP server's certificate, if no public one did.",
    )
    sender: str = Field("denizen@localhost", description="Sender address of every mail.")

    _mailbox = field_validator("sender")(check_mailbox)

    @model_validator(mode="after")
    def _check_password(self) -> MailSettings:
        if self.username and self.security == "none":
            raise ValueError(
                "security must be starttls or tls where there is a username, or the password is sent in the clear"
            )
        return self
