"""`[mail]`: how mail leaves the town."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

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
    sender: str = Field("denizen@localhost", description="Sender address of every mail.")

    _mailbox = field_validator("sender")(check_mailbox)
