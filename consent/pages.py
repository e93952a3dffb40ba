"""What the privacy pages show, put together from choices, notices and releases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent import labels, purposes, records, releases, rules
from consent.executor import Executor

Choices = Mapping[str, rules.Choice]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The last withdrawal from a service: when, and per purpose which data and which permissions (as texts)."""

    at: int
    claims: tuple[str, ...]
    permissions: tuple[str, ...] = ()


def known(connection: Executor, resident_id: str, client_id: str) -> bool:
    """Whether the resident ever had to do with the client: a choice on record, or a release."""
    return bool(
        records.history(connection, resident_id, client_id, limit=1)
        or releases.list_for(connection, resident_id, client_id, limit=1)
    )


def all_services(
    connection: Executor, resident_id: str, language: str, fallback: str
) -> list[dict[str, Any]]:
    """Every client the resident ever had to do with; the last to receive something comes first."""
    by_client = records.choices_by_client(connection, resident_id)
    last = releases.last_by_client(connection, resident_id)
    versions = {key: one.notice_version for choices in by_client.values() for key, one in choices.items()}
    notices = purposes.notices_at(connection, versions, language, fallback)
    basis_of = records.bases(connection, versions)
    order = sorted({*by_client, *last}, key=lambda client_id: (-last.get(client_id, 0), client_id))
    return [
        {
            **_standing(client_id, by_client.get(client_id, {}), basis_of),
            "last_release_at": last.get(client_id),
            "purposes": [
                {
                    "title": notices[key].text.title,
                    "basis_text": labels.basis_text(basis_of[key]),
                    "claims": [labels.claim_label(claim) for claim in choice.claims_chosen],
                }
                for key, choice in by_client.get(client_id, {}).items()
                if choice.in_force and key in notices
            ],
        }
        for client_id in order
    ]


def one_service(
    connection: Executor, resident_id: str, client_id: str, language: str, fallback: str
) -> dict[str, Any] | None:
    """One client with its purposes as this resident met them; None if they never did."""
    if not known(connection, resident_id, client_id):
        return None
    choices = records.current_choices(connection, resident_id, client_id)
    versions = {key: one.notice_version for key, one in choices.items()}
    notices = purposes.notices_at(connection, versions, language, fallback)
    basis_of = records.bases(connection, versions)
    last = releases.last_by_claim(connection, resident_id, client_id)
    shown = [
        _purpose(notices[key], basis_of[key], choice, last)
        for key, choice in choices.items()
        if key in notices
    ]
    return {**_standing(client_id, choices, basis_of), "purposes": shown}


def withdrawal(connection: Executor, resident_id: str, client_id: str) -> Withdrawal | None:
    """The withdrawal that stands for a client; None if there is none, or consent was given again since."""
    choices = records.current_choices(connection, resident_id, client_id)
    basis_of = records.bases(connection, choices)
    ended = [one for one in choices.values() if one.state == "withdrawn"]
    if not ended or any(rules.withdrawable(basis_of[one.purpose_id], one) for one in choices.values()):
        return None
    at = max(one.at for one in ended)
    parts = [labels.apart(one.claims_offered) for one in ended if one.at == at]
    claims, permissions = (
        tuple(filter(None, map(labels.claim_list, each))) for each in zip(*parts, strict=True)
    )
    return Withdrawal(at, claims, permissions)


def choice_line(entry: records.HistoryEntry) -> dict[str, Any]:
    """One line of a history."""
    claims = entry.claims_offered if entry.event in {"refused", "withdrawn"} else entry.claims_chosen
    return {
        "when": entry.at,
        "what": labels.event_text(entry.event, claims),
        "notice": labels.notice_text(entry.notice_title, entry.notice_version),
    }


def _standing(client_id: str, choices: Choices, basis_of: Mapping[str, str]) -> dict[str, Any]:
    states = {choice.state for choice in choices.values()}
    if not choices or any(choice.in_force for choice in choices.values()):
        state = "active"
    else:
        state = "withdrawn" if "withdrawn" in states else "refused"
    withdrawable = any(rules.withdrawable(basis_of[key], choice) for key, choice in choices.items())
    return {"client_id": client_id, "state": state, "withdrawable": withdrawable}


def _purpose(
    notice: purposes.Notice, basis: str, choice: rules.Choice, last: Mapping[str, int]
) -> dict[str, Any]:
    claims, permissions = labels.apart(choice.claims_chosen if choice.in_force else choice.claims_offered)
    return {
        "title": notice.text.title,
        "why": notice.text.why,
        "basis_text": labels.basis_text(basis),
        "retention_text": notice.text.retention_text,
        "claims": [{"label": labels.claim_label(one), "last_at": last.get(one)} for one in claims],
        "permissions": [labels.claim_label(one) for one in permissions],
    }
