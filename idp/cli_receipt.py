"""`denizen receipt`: check a receipt of consent, without a database, settings or the internet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from consent.receipts.verifying import Keys, Verdict

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SIGNS = {"holds": "✓", "fails": "✗", "unknown": "?"}
_LABELS = {
    "town": "Town",
    "issuer": "Address",
    "service": "Service",
    "event": "Event",
    "at": "When",
    "notice": "Notice",
    "offered": "Asked for",
    "chosen": "Agreed to",
    "receipt": "Receipt",
}


@click.group()
def receipt() -> None:
    """Receipts of consent: check one, or make the page that checks them without the internet."""


@receipt.command("verify")
@click.argument("file", type=click.File("rb"))
@click.option("--jwks", type=_FILE, help="The keys that the town publishes at /receipts/jwks.")
@click.option(
    "--vkey",
    help="The key of the town's log, as a line or a file of lines; else the one that --jwks brings along.",
)
@click.option("--policy", type=_FILE, help="Who must have witnessed the log, as at /log/policy.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(file: Any, jwks: Path | None, vkey: str | None, policy: Path | None, *, as_json: bool) -> None:
    """Say what holds of a receipt and what does not. Exit 0 when it can be believed, else 1.

    FILE is the .jwt or .json that a resident has kept, or the text of the code on paper; `-` reads from a pipe. Nothing
    is fetched, and no database is needed.
    """
    from consent.receipts.signed import NotReadable
    from consent.receipts.verifying import verify as check

    try:
        verdict = check(file.read(), _keys(jwks, vkey, policy))
    except NotReadable as problem:
        _refuse(str(problem), as_json=as_json)
        return
    if as_json:
        click.echo(json.dumps(_as_json(verdict), indent=2, ensure_ascii=False))
    else:
        _say(verdict)
    if not verdict.is_good:
        raise SystemExit(1)


@receipt.command("page")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--language", default="en", show_default=True, help="Of the page, as a code such as fr.")
def page(folder: Path, language: str) -> None:
    """Write the page that checks receipts into a folder: it works from there, without the internet."""
    from idp.receipt_page import write_page

    try:
        written = write_page(folder, language)
    except (OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from None
    for path in written:
        click.echo(str(path))


def _keys(jwks: Path | None, vkey: str | None, policy: Path | None) -> Keys:
    """What to check against.

    Raises:
        NotReadable: for a file that is not what it should be.
    """
    from dataclasses import replace

    from consent.log.policy import parse
    from consent.receipts.signed import NotReadable
    from consent.receipts.verifying import Keys, read_keys, read_vkeys

    keys = read_keys(jwks.read_bytes()) if jwks else Keys()
    if vkey:
        path = Path(vkey)
        text = path.read_text(encoding="utf-8", errors="replace") if _is_file(path) else vkey
        keys = replace(keys, log=read_vkeys(text))
    if policy:
        try:
            keys = replace(keys, policy=parse(policy.read_bytes()))
        except ValueError as error:
            raise NotReadable(f"The policy cannot be used: {error}.") from None
    return keys


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a key is no sensible name of a file
        return False


def _refuse(problem: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"good": False, "problem": problem}, ensure_ascii=False))
    else:
        click.echo(problem, err=True)
    raise SystemExit(1)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    checks = [
        {"name": one.name, "state": one.state, "text": one.text, "where": list(one.where)}
        for one in verdict.checks
    ]
    return {"good": verdict.is_good, "checks": checks, "facts": dict(verdict.facts)}


def _say(verdict: Verdict) -> None:
    for name, label in _LABELS.items():
        if name in verdict.facts:
            value = verdict.facts[name]
            click.echo(f"{label + ':':<12}{', '.join(value) if isinstance(value, list) else value}")
    click.echo("")
    for one in verdict.checks:
        click.echo(f"{_SIGNS[one.state]} {one.text}")
        if one.where:
            click.echo(f"  Look at: {', '.join(one.where)}")
    click.echo("")
    good = "This receipt can be believed." if verdict.is_good else "This receipt can NOT be believed."
    click.echo(good)
