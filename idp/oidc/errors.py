"""Errors of the protocol: a code and a text for the partner, a private detail for the log alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Refusal(Exception):
    """A request that is refused and that has written nothing.

    `error` is the code of RFC 6749 §4.1.2.1 / §5.2 or OIDC Core §3.1.2.6; `public` goes into
    error_description, so it is ASCII without quotes, backslashes or line breaks; `private` goes to the log;
    `headers` go with the answer of a back-channel endpoint.
    """

    def __init__(
        self,
        error: str,
        public: str,
        *,
        private: str = "",
        status: int = 400,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{error}: {public}")
        self.error = error
        self.public = public
        self.private = private
        self.status = status
        self.headers = headers


def refuse_repeated(names: Collection[str]) -> None:
    """Refuse parameters that came more than once (RFC 6749 §3.1, §3.2).

    `resource` alone may (RFC 8707 §2), but a token of ours is for one API: invalid_target says so.
    """
    if {*names} == {"resource"}:
        raise Refusal("invalid_target", "A token is for one resource; ask for one at a time")
    if names:
        raise Refusal("invalid_request", "A parameter is given more than once")
