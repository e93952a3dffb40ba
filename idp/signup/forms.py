"""What is typed on the sign-up pages, and what is wrong with it in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_babel import gettext

from idp.accounts.rules import normal_email, normal_username, tidy_name
from idp.login.new_password import new_password_error
from idp.signup.service import Chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from idp.settings import Settings

Errors = list[tuple[str, str]]


def email_errors(email: str) -> Errors:
    """What is wrong with an address."""
    if not email.strip():
        return [("email", gettext("Enter your e-mail address"))]
    if normal_email(email) is None:
        return [("email", gettext("Enter your e-mail address in the form name@example.org"))]
    return []


@dataclass(frozen=True, slots=True)
class AccountForm:
    """The second page: names, an optional user name, a password."""

    given_name: str
    family_name: str
    username: str
    password: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> AccountForm:
        """What was typed; every other field of the request is ignored (K32)."""
        return cls(*(form.get(name, "") for name in ("given_name", "family_name", "username", "password")))

    def chosen(self) -> Chosen:
        """The tidy values, once there are no errors."""
        given = tidy_name(self.given_name)
        assert given is not None
        family = tidy_name(self.family_name) if self.family_name.strip() else None
        username = normal_username(self.username) if self.username.strip() else None
        return Chosen(given, family, username, self.password)

    def errors(self, settings: Settings, email: str) -> Errors:
        """What is wrong, field by field."""
        errors: Errors = []
        if tidy_name(self.given_name) is None:
            errors.append(("given_name", gettext("Enter your first name")))
        if self.family_name.strip() and tidy_name(self.family_name) is None:
            errors.append(("family_name", gettext("Enter your last name in letters, up to 100 of them")))
        if self.username.strip() and normal_username(self.username) is None:
            errors.append(
                ("username", gettext("Use 3 to 40 letters (a to z), digits, dots or dashes in the user name"))
            )
        about = [*email.partition("@")[::2], self.given_name, self.family_name, self.username]
        problem = new_password_error(settings, self.password, about=about)
        if problem:
            errors.append(("password", problem))
        return errors
