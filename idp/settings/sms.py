"""`[sms]`: how text messages leave the town."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads annotations
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section, is_loopback

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TWILIO = "https://api.twilio.com"


class SmsSettings(Section):
    """How text messages leave the town: through Twilio's API, or any gateway that takes HTTP requests."""

    provider: Literal["none", "http", "twilio"] = Field(
        "none", description="Who carries text messages: twilio, http for any other gateway, or none."
    )
    sender: str = Field(
        "", description="Number in international form, or name, that text messages come from."
    )
    countries: tuple[str, ...] = Field(
        (), description="Countries (such as FR) whose numbers are written to; none: every country."
    )
    account: str = Field("", description="Twilio: the account SID.")
    key: str = Field("", description="Twilio: SID of an API key; empty: the account's own token is used.")
    secret: str = Field("", description="Twilio: secret of the API key, or the account's token.", repr=False)
    service: str = Field("", description="Twilio: SID of a messaging service, instead of a sender.")
    url: str = Field("", description="Address of the gateway; for Twilio only when it is not api.twilio.com.")
    ca_file: Path | None = Field(
        None, description="File of the authority that signed the gateway's certificate, if no public one did."
    )
    method: Literal["POST", "PUT", "GET"] = Field(
        "POST", description="Generic gateway: method of the request."
    )
    format: Literal["json", "form", "query"] = Field(
        "json", description="Generic gateway: how fields travel: JSON or form in the body, or in the address."
    )
    headers: dict[str, str] = Field(
        {}, description="Generic gateway: headers of the request, such as Authorization.", repr=False
    )
    fields: dict[str, Any] = Field(
        {"to": "{to}", "from": "{sender}", "text": "{text}"},
        description="Generic gateway: fields of the request; {to}, {text}, {sender} and {id} are filled in.",
    )
    success_status: tuple[int, ...] = Field(
        (200, 201, 202), description="Generic gateway: HTTP statuses that mean the message was taken."
    )
    success_field: str = Field(
        "",
        description="Generic gateway: field of the JSON answer that must say so, too, such as result.status.",
    )
    success_values: tuple[str, ...] = Field(
        (), description="Generic gateway: what that field says when the message was taken."
    )
    final_status: tuple[int, ...] = Field(
        (400, 404, 422), description="Generic gateway: HTTP statuses after which trying again is pointless."
    )
    id_field: str = Field(
        "", description="Generic gateway: field of the JSON answer with the gateway's own id of the message."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("https", "http") or not parts.hostname):
            raise ValueError("write a full address such as https://sms.example.org/send")
        if parts.scheme == "http" and not is_loopback(value):
            raise ValueError("an address beyond this machine must begin with https://")
        if not re.fullmatch(r"[!-~]*", parts.path + parts.query):
            raise ValueError("write blanks and letters beyond ASCII in an address as %20 and its like")
        return value.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        """What a field of HTTP can hold (RFC 9110 §5.1, §5.5)."""
        for name, said in value.items():
            if not _HEADER_NAME.fullmatch(name) or not re.fullmatch(r"[\t -~]*", said):
                raise ValueError(f"the header {name!a} has a sign that HTTP cannot carry; write ASCII alone")
        return value

    @field_validator("countries")
    @classmethod
    def _check_countries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Z]{2}", country) for country in value):
            raise ValueError("write a country as two capital letters, such as FR")
        return value

    @model_validator(mode="after")
    def _check_complete(self) -> SmsSettings:
        if self.provider == "http" and not self.url:
            raise ValueError("provider http needs url")
        if self.provider == "twilio" and not (self.account and self.secret and (self.sender or self.service)):
            raise ValueError("provider twilio needs account, secret, and sender or service")
        return self

    @property
    def enabled(self) -> bool:
        """Whether text messages can be sent at all."""
        return self.provider != "none"

    @property
    def base_url(self) -> str:
        """Where the gateway is."""
        return self.url or _TWILIO
