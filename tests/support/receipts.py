"""A receipt as a resident keeps it, beside the keys that their town publishes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from idp.upkeep import integrate_log
from tests.support.town import ISSUER, Proof, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town


def keep_receipt(town: Town, kept: Path) -> None:
    """Let Maria agree to the library's request; into `kept` go receipt.json, receipt.jwt, keys.json, bare.json, log.vkey."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile email", Proof())
    integrate_log(town.context, now=int(town.clock()))
    with town.context.database.reading() as session:
        uid = bytes(
            session.execute(text("SELECT uid FROM consent_record ORDER BY id DESC LIMIT 1")).scalar_one()
        )
    for kind in ("json", "jwt"):
        answer = browser.get(f"/privacy/receipts/{uid.hex()}.{kind}")
        (kept / f"receipt.{kind}").write_bytes(answer.data)
    keys = town.app.test_client().get("/receipts/jwks", base_url=ISSUER)
    assert keys.json is not None
    (kept / "keys.json").write_bytes(keys.data)
    (kept / "log.vkey").write_text("\n".join(keys.json["log_vkeys"]) + "\n")
    bare = {"keys": keys.json["keys"]}
    (kept / "bare.json").write_text(json.dumps(bare))


def keep_of_a_town(template: Path, folder: Path, kept: Path) -> Path:
    """The same from a town of its own on SQLite, made from a migrated `template`, which ends afterwards; `kept`."""
    database = folder / "denizen.sqlite"
    database.write_bytes(template.read_bytes())
    town = make_town(f"sqlite:///{database}", folder)
    keep_receipt(town, kept)
    town.context.database.close()
    return kept
