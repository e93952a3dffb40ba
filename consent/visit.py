"""A resident's visit to a page of theirs: who reads it, in which languages, and what services are called there."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Concatenate

from werkzeug.wrappers import Response

from consent import labels
from consent.ports import CurrentResident, ServiceName, get_ports

View = Callable[Concatenate[CurrentResident, ...], str | Response]


def signed_in(view: View) -> Callable[..., str | Response]:
    """Hand the resident to ``view``, or answer as the host says when nobody is signed in."""

    @wraps(view)
    def guarded(**values: str) -> str | Response:
        resident = get_ports().resident()
        return view(resident, **values) if isinstance(resident, CurrentResident) else resident

    return guarded


def languages() -> tuple[str, str]:
    """The language of the page, and the one that notices come in where they lack it."""
    ports = get_ports()
    return ports.language(), ports.default_language


def service_names(client_ids: Iterable[str]) -> dict[str, ServiceName]:
    """What services are called, by client; those that are gone, too."""
    wanted = list(client_ids)
    found = get_ports().client_names(wanted)
    gone = ServiceName(str(labels.UNKNOWN_SERVICE), "")
    return {client_id: found.get(client_id, gone) for client_id in wanted}
