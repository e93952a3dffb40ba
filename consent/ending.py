"""The end of a purpose, for good: decided by somebody with a reason, in one transaction, however many residents it touches.

No resident's history gets a line: that a purpose has ended is decided wherever a choice is read
(:func:`consent.rules.current_state`), as the end of a consent's own time is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consent import acts, drafts, purposes

if TYPE_CHECKING:
    from consent.executor import Executor


def end(
    connection: Executor, purpose: purposes.Purpose, *, log_key: bytes, actor: str, reason: str, now: int
) -> bool:
    """End a purpose with an act that says who decided it and why; whether an open draft of it was discarded.

    ``log_key`` is the service's. Raises PurposeEnded if it had ended before, ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("ending needs a reason")
    if not purposes.end_purpose(connection, log_key=log_key, purpose_id=purpose.id, now=now):
        raise drafts.PurposeEnded
    had_draft = drafts.discard_open(connection, purpose.id, now=now)
    acts.record(
        connection,
        log_key=log_key,
        kind="purpose_end_decided",
        actor=actor,
        client_id=purpose.client_id,
        details={"purpose_id": purpose.id, "reason": reason},
        now=now,
    )
    return had_draft
