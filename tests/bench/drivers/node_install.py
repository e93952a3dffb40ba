"""Installs the peer with npm into a folder that git ignores; nothing is fetched when it is there already."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "providers" / "node_oidc"
INSTALLED = Path(__file__).parents[3] / ".cache" / "bench" / "node_oidc"
SECONDS = 900


class PeerMissingError(RuntimeError):
    """The peer cannot be had on this machine; the message says why."""


def install() -> Path:
    """Install the peer, or find it installed; returns its folder.

    Raises:
        PeerMissingError: without node or npm, or when npm fails.

    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise PeerMissingError("node and npm are not installed")
    stamp, wanted = INSTALLED / "installed-from", _fingerprint(node)
    if not stamp.exists() or stamp.read_text() != wanted:
        stamp.unlink(missing_ok=True)
        _copy("package.json", "package-lock.json", ".npmrc")
        _run_npm(npm, node)
        stamp.write_text(wanted)
    _copy("app.mjs", "stores.mjs")
    return INSTALLED


def has_sqlite() -> bool:
    """Whether better-sqlite3's native part was fetched or built and loads."""
    code = "import('better-sqlite3').then(({ default: Database }) => new Database(':memory:'))"
    command = ["node", "--input-type=module", "-e", code]
    return (
        subprocess.run(command, cwd=INSTALLED, check=False, capture_output=True, timeout=60).returncode == 0
    )


def _fingerprint(node: str) -> str:
    version = subprocess.run(
        [node, "--version"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    lock = (SOURCE / "package-lock.json").read_bytes()
    return f"{version.strip()} {hashlib.sha256(lock).hexdigest()}"


def _copy(*names: str) -> None:
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(SOURCE / name, INSTALLED / name)


def _run_npm(npm: str, node: str) -> None:
    environment = dict(os.environ)  # noqa: TID251 - npm needs the shell's proxies, certificates and cache
    # Where better-sqlite3 has no ready build, node-gyp compiles it: with the headers beside node, unfetched.
    prefix = Path(node).resolve().parents[1]
    if (prefix / "include" / "node" / "node_api.h").exists():
        environment.setdefault("npm_config_nodedir", str(prefix))
    command = [npm, "ci", "--no-audit", "--no-fund", "--no-progress"]
    done = subprocess.run(
        command, cwd=INSTALLED, env=environment, check=False, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        raise PeerMissingError(f"npm ci failed:\n{done.stderr[-1500:]}")
