"""What the demo prints: one JSON object for scripts, or what to click first for people."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.sandbox.folder import Folder, Town


def as_json(town: Town) -> dict[str, Any]:
    """Everything a script needs to walk through the town."""
    ports = town.ports
    return {
        "issuer": ports.issuer,
        "staff_url": ports.staff_url,
        "mailbox_url": ports.mailbox_url,
        "neighbour_url": ports.neighbour_url,
        "partners": [
            {"name": "Riverton Public Library", "url": ports.library_url, "client_id": "riverton-library"},
            {"name": "Riverton Tax Portal", "url": ports.tax_url, "client_id": "riverton-tax"},
        ],
        "residents": list(town.residents),
        "card_only": list(town.card_only),
        "staff": list(town.staff),
        "clients": list(town.clients),
    }


def as_text(town: Town, folder: Folder, *, seconds: float) -> str:
    """What is where, and what to click first."""
    ports, first = town.ports, town.residents[0]
    return f"""
Riverton is open, after {seconds:.1f} seconds.

Click here first
  1. Open the library at {ports.library_url} and choose "Sign in with your Riverton account".
     User name  {first["username"]}
     Password   {first["password"]}
     Riverton asks what the library may see. Agree, and look at what the library knows now.
  2. Open the tax portal at {ports.tax_url} and sign in there: you need no password again.
  3. See who saw what at {ports.issuer}/privacy and stop sharing with the library.
     Then choose "Ask Riverton again" at the library.
  4. Or create an account of your own at {ports.issuer}/signup; its mail is at {ports.mailbox_url}

What is where
  Residents      {ports.issuer}
  Staff          {ports.staff_url}
  Mailbox        {ports.mailbox_url}   (mails, text messages and letters)
  Library        {ports.library_url}
  Tax portal     {ports.tax_url}
  Lakeside       {ports.neighbour_url}   (a neighbouring town: "Sign in with Lakeside"; it watches Riverton's log, too)

Other ways to sign in, to be tried by hand
{_ways_to_try(town)}
  A code of the paper list is asked for where one proof is not enough: at {ports.tax_url}, under "Your bank account"

A device without a keyboard asks for its code like this; enter the code at {ports.issuer}/device
  curl -s {ports.issuer}/device_authorization -d client_id=riverton-noticeboard -d scope="openid profile"

Residents (user name, password, who it is)
{_lines((one["username"], one["password"], f"{_isolated(one['name'])}, {one['story']}") for one in town.residents)}

Staff (user name, password); the one-time codes are at {ports.mailbox_url}/codes
{_lines((one["username"], one["password"]) for one in town.staff)}

All data is in {folder.path}: the next start keeps it, --fresh begins anew. Ctrl-C ends everything.
"""


def _ways_to_try(town: Town) -> str:
    """What each of them needs that a person would have in their hands."""
    codes, by_name = f"{town.ports.mailbox_url}/codes", {one["username"]: one for one in town.residents}
    rows = []
    for username, one in by_name.items():
        if "totp_secret" in one:
            rows.append((username, f"password, then the code that the app shows: it is at {codes}"))
        if "recovery_codes" in one:
            rows.append((username, f"password, then a recovery code, such as {one['recovery_codes'][0]}"))
        if "phone" in one:
            rows.append(
                (username, f"password, then the code sent to {one['phone']}: {town.ports.mailbox_url}")
            )
        if "card_number" in one:
            rows.append((username, _card(one)))
    return _lines([*rows, *((one["name"], _card(one)) for one in town.card_only)])


def _card(one: Mapping[str, Any]) -> str:
    return (
        f"card {one['card_number']}, PIN {one['pin']}, first code {one['paper_codes'][0]}; print: the mailbox"
    )


def _lines(rows: Any) -> str:
    kept = [tuple(row) for row in rows]
    widths = [max(len(row[column]) for row in kept) + 2 for column in range(len(kept[0]))]
    return "\n".join(
        "  " + "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in kept
    )


def _isolated(name: str) -> str:
    """A name that is written from right to left, kept from turning the rest of the line (Unicode isolates)."""
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name)
    return f"\u2068{name}\u2069" if turns else name
