"""What a person hands to the check: a receipt in one of its forms, and the keys that a town publishes. Pure."""

from __future__ import annotations

from typing import Any, Final

from consent.log.notes import parse_vkey
from consent.receipts.leaves import Keys
from consent.receipts.signed import NotReadable, read_object, receipt_keys

#: In bytes: with its proofs a receipt has some twenty thousand.
SIZE_LIMIT: Final = 1 << 20


def read_keys(jwks: bytes) -> Keys:
    """The keys that a town publishes at ``/receipts/jwks``: those of receipts, and with them those of its log.

    Raises:
        NotReadable: for anything else.
    """
    found = read_object(jwks, "file of keys")
    vkeys, issuer = found.get("log_vkeys", []), found.get("issuer", "")
    if (
        not isinstance(vkeys, list)
        or not isinstance(issuer, str)
        or not all(isinstance(one, str) for one in vkeys)
    ):
        raise NotReadable("The file of keys is not one that a town publishes.")
    return Keys(receipt_keys(found), read_vkeys("\n".join(vkeys)), issuer=issuer)


def read_vkeys(text: str) -> tuple[str, ...]:
    """Verifier keys of logs, one a line.

    Raises:
        NotReadable: for a line that is none.
    """
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    for line in lines:
        try:
            parse_vkey(line)
        except ValueError as error:
            raise NotReadable(f"A key of the log cannot be used: {error}.") from None
    return lines


def text_of(content: bytes) -> tuple[str, dict[str, Any] | None]:
    """The signed text of a receipt, and the document beside it in a JSON file.

    Raises:
        NotReadable: for what is no receipt at all.
    """
    if len(content) > SIZE_LIMIT:
        raise NotReadable("This is too long to be a receipt.")
    stripped = content.strip()
    if not stripped:
        raise NotReadable("There is nothing in it.")
    if stripped.startswith(b"{"):
        found = read_object(stripped, "receipt")
        if (
            set(found) != {"jws", "receipt"}
            or not isinstance(found["jws"], str)
            or not isinstance(found["receipt"], dict)
        ):
            raise NotReadable("This JSON is no receipt: it must have “jws” and “receipt”.")
        return found["jws"], found["receipt"]
    try:
        text = stripped.decode("ascii")
    except UnicodeDecodeError:
        raise NotReadable(
            "This is no receipt. Give the .jwt or .json file, or the text of the code."
        ) from None
    # The code on paper is an address that opens the page for checking; the receipt stands behind the #.
    return text.rpartition("#")[2] if "://" in text else text, None
