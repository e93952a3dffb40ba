"""The database itself refuses to rewrite history: triggers for SQLite and PostgreSQL.

The first migration runs :func:`append_only_ddl` and so makes :data:`HOUSE` append-only; each later table gets
:func:`guard_ddl` in the migration that makes it. Downgrades run the counterparts.
A purpose may be ended, once; everything else here is written once and stays.
"""

HOUSE = (
    "consent_notice",
    "consent_record",
    "consent_release",
    "consent_lookup",
    "consent_log_entry",
    "consent_log_leaf",
    "consent_log_checkpoint",
)
LATER = ("consent_act", "consent_log_node", "consent_log_cosignature")
APPEND_ONLY = (*HOUSE, *LATER)
PURPOSE = "consent_purpose"
_PURPOSE_FIXED = (
    "id, uid, client_id, key, basis, required_claims, optional_claims, minimum_level, created_at, "
    "retention_for, subject_sector"
)
PURPOSE_LATER_FIXED = ("purpose_type", "valid_for")
"""Columns of a purpose that came later and are as fixed as the others: :func:`fix_purpose_ddl` guards them."""
_FUNCTION = "consent_refuse_change"
_VERBS = ("update", "delete")


def append_only_ddl(dialect_name: str) -> list[str]:
    """Statements that make the tables append-only; ``dialect_name`` is ``sqlite`` or ``postgresql``."""
    return _sqlite() if _known(dialect_name) == "sqlite" else _postgresql()


def drop_append_only_ddl(dialect_name: str) -> list[str]:
    """Statements that undo :func:`append_only_ddl`."""
    if _known(dialect_name) == "sqlite":
        tables = (*HOUSE, PURPOSE)
        drops = [f"DROP TRIGGER {table}_no_{verb}" for table in tables for verb in ("update", "delete")]
        return [*drops, f"DROP TRIGGER {PURPOSE}_ends_once"]
    drops = [f"DROP TRIGGER {table}_append_only ON {table}" for table in HOUSE]
    drops += [f"DROP TRIGGER {PURPOSE}_{name} ON {PURPOSE}" for name in ("append_only", "ends_once")]
    return [*drops, f"DROP FUNCTION {_FUNCTION}()"]


def guard_ddl(dialect_name: str, table: str) -> list[str]:
    """Statements that make one more table append-only."""
    if _known(dialect_name) == "sqlite":
        return [
            _sqlite_trigger(f"{table}_no_{verb}", f"BEFORE {verb.upper()} ON {table}", table)
            for verb in _VERBS
        ]
    change = "UPDATE OR DELETE OR TRUNCATE"
    run = f"FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"
    return [f"CREATE TRIGGER {table}_append_only BEFORE {change} ON {table} {run}"]


def drop_guard_ddl(dialect_name: str, table: str) -> list[str]:
    """Statements that undo :func:`guard_ddl`; dropping the table does the same."""
    if _known(dialect_name) == "sqlite":
        return [f"DROP TRIGGER {table}_no_{verb}" for verb in _VERBS]
    return [f"DROP TRIGGER {table}_append_only ON {table}"]


def fix_purpose_ddl(dialect_name: str) -> list[str]:
    """Statements that keep the columns of a purpose that came later from being changed."""
    event = f"BEFORE UPDATE OF {', '.join(PURPOSE_LATER_FIXED)} ON {PURPOSE}"
    if _known(dialect_name) == "sqlite":
        return [_sqlite_trigger(f"{PURPOSE}_stays", event, PURPOSE)]
    return [f"CREATE TRIGGER {PURPOSE}_stays {event} FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"]


def drop_fix_purpose_ddl(dialect_name: str) -> list[str]:
    """Statements that undo :func:`fix_purpose_ddl`."""
    on = "" if _known(dialect_name) == "sqlite" else f" ON {PURPOSE}"
    return [f"DROP TRIGGER {PURPOSE}_stays{on}"]


def _known(dialect_name: str) -> str:
    if dialect_name not in {"sqlite", "postgresql"}:
        raise ValueError(f"no append-only triggers for {dialect_name}")
    return dialect_name


def _sqlite() -> list[str]:
    statements = []
    for table in (*HOUSE, PURPOSE):
        fixed = f" OF {_PURPOSE_FIXED}" if table == PURPOSE else ""
        statements += [
            _sqlite_trigger(f"{table}_no_update", f"BEFORE UPDATE{fixed} ON {table}", table),
            _sqlite_trigger(f"{table}_no_delete", f"BEFORE DELETE ON {table}", table),
        ]
    once = f"BEFORE UPDATE ON {PURPOSE} WHEN OLD.ended_at IS NOT NULL"
    return [*statements, _sqlite_trigger(f"{PURPOSE}_ends_once", once, PURPOSE)]


def _sqlite_trigger(name: str, event: str, table: str) -> str:
    return f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"


def _postgresql() -> list[str]:
    # Statement triggers also refuse TRUNCATE, and a change that would touch no row.
    function = (
        f"CREATE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
        "MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$"
    )
    run = f"EXECUTE FUNCTION {_FUNCTION}()"
    statements = [function]
    for table in (*HOUSE, PURPOSE):
        update = f"UPDATE OF {_PURPOSE_FIXED}" if table == PURPOSE else "UPDATE"
        statements.append(
            f"CREATE TRIGGER {table}_append_only BEFORE {update} OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT {run}"
        )
    statements.append(
        f"CREATE TRIGGER {PURPOSE}_ends_once BEFORE UPDATE ON {PURPOSE} FOR EACH ROW "
        f"WHEN (OLD.ended_at IS NOT NULL) {run}"
    )
    return statements
