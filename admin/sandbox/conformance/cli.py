"""The command `denizen conformance`."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from admin.sandbox.ports import HIGHEST
from idp.serve import probe
from idp.settings.section import check_origin, is_address, is_internal

if TYPE_CHECKING:
    from admin.sandbox.conformance.town import Places

_PORT = click.IntRange(0, 65_535)


@click.command()
@click.option("--issuer", required=True, metavar="https://HOST:PORT", help="Address of the town.")
@click.option(
    "--config",
    "plan_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What the run is described by (TOML or JSON, docs/conformance.md); without it, the usual.",
)
@click.option("--bind", help="Address to listen on.  [default: the host if it is an address, else 127.0.0.1]")
@click.option(
    "--mtls-port",
    type=_PORT,
    help="Port at which client certificates are asked for; 0: none.  [default: the next port]",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the town's data in this folder, which must be empty.  [default: a temporary one]",
)
def conformance(
    issuer: str, plan_path: Path | None, bind: str | None, mtls_port: int | None, folder: Path | None
) -> None:
    """Serve a town for the OpenID Foundation's conformance suite until Ctrl-C, and print all that it must know.

    \b
    On this machine:  denizen conformance --issuer https://localhost:9443
    See docs/conformance.md. A public issuer is refused.
    """  # noqa: D301 - click wants the backspace itself
    places = _places(issuer, bind, mtls_port)
    _check_free(places)
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="denizen-conformance-") as made:
            _run(Path(made), places, plan_path)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty: each run is a new town")
    _run(folder.resolve(), places, plan_path)


def _places(issuer: str, bind: str | None, mtls_port: int | None) -> Places:
    """Where to listen.

    Raises:
        click.UsageError: for an issuer that anybody but us could own.
    """
    from admin.sandbox.conformance.town import Places

    try:
        issuer = check_origin(issuer)
    except ValueError as error:
        raise click.UsageError(f"--issuer: {error}") from None
    if not issuer.startswith("https://") or not is_internal(issuer):
        raise click.UsageError(
            "--issuer must begin with https:// and be of this machine, of a private network, or end in "
            ".localhost, .test or .internal: a town with these switches must never be public"
        )
    parts = urlsplit(issuer)
    host, port = parts.hostname or "", parts.port or 443
    chosen = port + 1 if mtls_port is None else mtls_port
    if chosen > HIGHEST:
        raise click.UsageError(f"there is no port after {HIGHEST}: say --mtls-port, or 0 for none")
    if chosen == port:
        raise click.UsageError("--mtls-port must be another port than that of --issuer")
    return Places(issuer, bind or (host if is_address(host) else "127.0.0.1"), port, chosen or None)


def _check_free(places: Places) -> None:
    """Before anything is made. Servers share a port when they can, and then another town would answer for this one.

    Raises:
        click.ClickException: when somebody listens there already, or nobody can.
    """
    for port in filter(None, (places.port, places.mtls_port)):
        try:
            probe(places.bind, port)
        except OSError as error:
            raise click.ClickException(
                f"port {port} of {places.bind} cannot be used: {error.strerror}; choose others by --issuer, --bind "
                "and --mtls-port"
            ) from None


def _run(folder: Path, places: Places, plan_path: Path | None) -> None:
    from admin.sandbox.conformance.plan import PlanProblem, read_plan
    from admin.sandbox.conformance.run import run_conformance
    from admin.sandbox.processes import ChildEnded
    from idp.clients.metadata import ClientRefused
    from idp.settings import SettingsError

    logging.getLogger().setLevel(logging.WARNING)
    try:
        run_conformance(folder, places, read_plan(plan_path), announce=click.echo)
    except (PlanProblem, ClientRefused, SettingsError, ChildEnded) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"port {places.mtls_port} cannot be used: {error}") from None
