"""Two OpenID Connect clients for Node.js that others wrote, against the town as it is served."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.support.walker import Walker

if TYPE_CHECKING:
    from tests.support.riverton import Riverton

HERE = Path(__file__).parent
CLIENTS = {"openid_client.mjs": "openid-client", "oauth4webapi.mjs": "oauth4webapi"}
REFUSED = [
    "another state",
    "another issuer",
    "no issuer",
    "another person's data",
    "a revoked refresh token",
    "a refresh token used before",
    "another nonce",
    "a code used before",
    "another signature algorithm",
]


@pytest.fixture(scope="module", autouse=True)
def _node_and_its_packages() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    missing = [name for name in CLIENTS.values() if not (HERE / "node_modules" / name).is_dir()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: run tests/support/npm.sh tests/interop")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@pytest.mark.parametrize("script", CLIENTS)
def test_a_client_that_others_wrote_does_all_of_its_work(
    riverton: Riverton, script: str, algorithm: str, tmp_path: Path
) -> None:
    """From discovery to signing out (OIDC Core, RFC 7009, 7636, 7662, 9207, RP-Initiated Logout); see the script."""
    client = riverton.clients[f"interop-{algorithm.lower()}"]
    person = riverton.residents["layla.haddad"]
    setup = {
        "issuer": riverton.issuer,
        "client_id": client.client_id,
        "client_secret": client.secret,
        "method": client.method,
        "algorithm": algorithm,
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": client.redirect_uri.replace("/callback", "/bye"),
    }
    with Walker(riverton.issuer, person) as walker:
        said = _converse(script, setup, walker, tmp_path / "stderr")
        assert walker.sign_ins == 1, "one sign-in serves every request until the resident signs out"
    assert said["refused"] == REFUSED
    claims, userinfo = said["granted"]["claims"], said["granted"]["userinfo"]
    assert (claims["iss"], claims["aud"], claims["amr"]) == (riverton.issuer, client.client_id, ["pwd"])
    assert userinfo == {
        "sub": claims["sub"],
        "name": person.name,
        "updated_at": userinfo["updated_at"],
        "email": person.email,
        "email_verified": userinfo["email_verified"],
    }


def _converse(script: str, setup: dict[str, Any], walker: Walker, complaints: Path) -> dict[str, Any]:
    """Run a client; wherever it sends the resident, `walker` goes. What it says in the end."""
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        stderr = stack.enter_context(complaints.open("w"))
        process = stack.enter_context(
            subprocess.Popen(
                ["node", script], cwd=HERE, stdin=pipe, stdout=pipe, stderr=stderr, text=True, bufsize=1
            )
        )
        stack.callback(process.kill)  # runs first, and does nothing to one that has ended
        _say(process.stdin, setup)
        assert process.stdout is not None
        for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "open" not in said:
                return said
            _say(process.stdin, {"url": walker.answer(said["open"])})
    raise AssertionError(complaints.read_text())


def _say(pipe: IO[str] | None, message: dict[str, Any]) -> None:
    assert pipe is not None
    pipe.write(json.dumps(message) + "\n")
