"""Files of records: CSV, JSON, JSON-LD and PDF, written row by row, so that memory does not grow with the town.

Nothing leaves before the whole file lies on disk, with its digest signed and the export on record.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final

import orjson

from admin.audit.rules import safe_cell
from consent.audit import timeline
from consent.rules import dpv_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

CSV, JSON, JSON_LD, PDF = "csv", "json", "jsonld", "pdf"
FORMATS: Final = {
    CSV: "text/csv; charset=utf-8",
    JSON: "application/json",
    JSON_LD: "application/ld+json",
    PDF: "application/pdf",
}
#: A PDF is for reading: it holds the newest so many rows, and says so.
PDF_ROWS: Final = 1000
_BLOCK: Final = 65_536
_CONTEXT: Final = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


@dataclass
class Written:
    """A file that lies ready, at its beginning: how many rows, how long, and its SHA-256."""

    file: IO[bytes]
    rows: int
    length: int
    sha256: bytes

    def blocks(self) -> Iterator[bytes]:
        """The file in blocks; it is gone afterwards."""
        with self.file:
            while block := self.file.read(_BLOCK):
                yield block


class _Counting:
    """A file that is hashed as it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.length = self.rows = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)
        self.length += len(data)


def write(
    wanted: str, about: Row, rows: Iterable[Row], make_pdf: Callable[[Sequence[Row], bool], bytes]
) -> Written:
    """Write rows as a file. `about` says what they are; `make_pdf` is called for a PDF, with whether rows were left out."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        out = _Counting(file)
        if wanted == PDF:
            shown = list(islice(rows, PDF_ROWS + 1))
            out.rows = min(len(shown), PDF_ROWS)
            out.write(make_pdf(shown[:PDF_ROWS], len(shown) > PDF_ROWS))
        else:
            _WRITERS[wanted](out, about, rows)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Written(file, out.rows, out.length, out.digest.digest())


def csv_blocks(rows: Iterable[Row]) -> Iterator[bytes]:
    """Rows as CSV (RFC 4180) with a header, a row at a time; no cell is taken for a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for number, row in enumerate(rows):
        if not number:
            writer.writerow(row.keys())
        writer.writerow([safe_cell(_flat(value)) for value in row.values()])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _write_csv(out: _Counting, _about: Row, rows: Iterable[Row]) -> None:
    for block in csv_blocks(rows):
        out.rows += 1
        out.write(block)


def _write_json(out: _Counting, about: Row, rows: Iterable[Row]) -> None:
    _write_list(out, {"about": about}, "records", rows)


def _write_json_ld(out: _Counting, about: Row, rows: Iterable[Row]) -> None:
    head = {"@context": _CONTEXT, "@type": "dct:Collection", "dct:description": orjson.dumps(about).decode()}
    _write_list(out, head, "@graph", map(_linked, rows))


def _write_list(out: _Counting, head: Row, name: str, rows: Iterable[Row]) -> None:
    """An object whose last member is a list, one element a line."""
    out.write(orjson.dumps(head)[:-1] + b"," + orjson.dumps(name) + b":[")
    for row in rows:
        out.write((b",\n" if out.rows else b"\n") + orjson.dumps(row))
        out.rows += 1
    out.write(b"\n]}\n")


_WRITERS: Final = {CSV: _write_csv, JSON: _write_json, JSON_LD: _write_json_ld}


def _flat(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _linked(row: Row) -> dict[str, Any]:
    """One row in the words of DPV (record of consent as in ISO/IEC TS 27560, Annex)."""
    found: dict[str, Any] = {
        "@id": f"urn:uid:{row['uid']}",
        "@type": "dpv:ConsentRecord"
        if row.get("basis") in ("", "consent", None)
        else "dpv:DataProcessingRecord",
        "dct:issued": {"@value": row["at"], "@type": "xsd:dateTime"},
        "dpv:hasDataSubject": row["person"],
        "dpv:hasRecipient": row["client"],
    }
    if row.get("kind", timeline.EVENT) == timeline.EVENT:
        found["dpv:hasConsentStatus"] = {"@id": f"dpv:{dpv_state(row['event'])}"}
    wanted = (
        ("dpv:hasPurpose", "purpose"),
        ("dpv:hasPersonalData", "chosen"),
        ("dpv:hasNotice", "notice"),
        ("dct:language", "language"),
        ("dct:type", "kind"),
        ("dct:title", "title"),
    )
    return found | {term: row[name] for term, name in wanted if row.get(name)}
