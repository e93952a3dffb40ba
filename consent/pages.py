"""What the privacy pages show, put together from choices, notices and releases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from consent import labels, purposes, records, releases, rules
from consent.executor import Executor
from consent.withdrawals import choices as taking_back
from consent.withdrawals import service as withdrawals
from consent.withdrawals import words

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
    connection: Executor, resident_id: str, language: str, fallback: str, *, now: int
) -> list[dict[str, Any]]:
    """Every client the resident ever had to do with; the last to receive something comes first."""
    by_client = records.choices_by_client(connection, resident_id)
    last = releases.last_by_client(connection, resident_id)
    versions = {key: one.notice_version for choices in by_client.values() for key, one in choices.items()}
    notices = purposes.notices_at(connection, versions, language, fallback)
    basis_of = records.bases(connection, versions)
    told = withdrawals.newest_by_client(connection, resident_id)
    order = sorted({*by_client, *last}, key=lambda client_id: (-last.get(client_id, 0), client_id))
    return [
        {
            **_standing(client_id, by_client.get(client_id, {}), basis_of),
            "last_release_at": last.get(client_id),
            "effect": words.effect(told[client_id], now=now) if client_id in told else None,
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
    connection: Executor, resident_id: str, client_id: str, language: str, fallback: str, *, now: int
) -> dict[str, Any] | None:
    """One client with its purposes as this resident met them; None if they never did."""
    if not known(connection, resident_id, client_id):
        return None
    choices = records.current_choices(connection, resident_id, client_id, now)
    versions = {key: one.notice_version for key, one in choices.items()}
    notices = purposes.notices_at(connection, versions, language, fallback)
    facts = taking_back.facts_of(connection, versions)
    basis_of = {key: one.basis for key, one in facts.items()}
    last = releases.last_by_claim(connection, resident_id, client_id)
    shown = [
        _purpose(notices[key], facts[key], choice, last) for key, choice in choices.items() if key in notices
    ]
    return {
        **_standing(client_id, choices, basis_of),
        "purposes": shown,
        "effects": effects(connection, resident_id, client_id, now=now),
        "objectionable": any(taking_back.may_object(facts[key], one) for key, one in choices.items()),
        # One button less where there is one consent alone: to stop it is to stop sharing.
        "has_parts": sum(one.in_force for one in choices.values()) > 1,
    }


def effects(connection: Executor, resident_id: str, client_id: str, *, now: int) -> list[dict[str, Any]]:
    """What the service was told of the resident's decisions, and what it says that it has done; the latest first."""
    return [words.effect(one, now=now) for one in withdrawals.of_client(connection, resident_id, client_id)]


def objectionable(connection: Executor, resident_id: str, client_id: str) -> bool:
    """Whether there is anything at a service to which the resident may object."""
    choices = records.current_choices(connection, resident_id, client_id)
    facts = taking_back.facts_of(connection, choices)
    return any(taking_back.may_object(facts[key], one) for key, one in choices.items())


def release_lines(
    connection: Executor, handed: Sequence[releases.Release], language: str, fallback: str
) -> list[dict[str, Any]]:
    """Hand-overs, one line each: when, on which occasion, which data, and why."""
    purpose_ids = {one for release in handed for one in release.purpose_ids}
    notices = purposes.notices_for(connection, sorted(purpose_ids), language, fallback)
    return [
        {
            "client_id": one.client_id,
            "when": one.at,
            "kind_text": labels.release_text(one.kind),
            "claims": labels.released_text(one.claims),
            "why": str(gettext(", ")).join(
                notices[key].text.title for key in one.purpose_ids if key in notices
            ),
        }
        for one in handed
    ]


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
        "uid": entry.uid.hex(),
    }


def _standing(client_id: str, choices: Choices, basis_of: Mapping[str, str]) -> dict[str, Any]:
    states = {choice.state for choice in choices.values()}
    if not choices or any(choice.in_force for choice in choices.values()):
        state = "active"
    else:
        state = next((one for one in ("withdrawn", "refused") if one in states), "ended")
    withdrawable = any(rules.withdrawable(basis_of[key], choice) for key, choice in choices.items())
    return {"client_id": client_id, "state": state, "withdrawable": withdrawable}


def _purpose(
    notice: purposes.Notice, facts: taking_back.Facts, choice: rules.Choice, last: Mapping[str, int]
) -> dict[str, Any]:
    was_shared = choice.in_force or choice.state == "ended"
    claims, permissions = labels.apart(choice.claims_chosen if was_shared else choice.claims_offered)
    return {
        "title": notice.text.title,
        "why": notice.text.why,
        "basis_text": labels.basis_text(facts.basis),
        "retention_text": notice.text.retention_text,
        "claims": [{"label": labels.claim_label(one), "last_at": last.get(one)} for one in claims],
        "permissions": [labels.claim_label(one) for one in permissions],
        "id": choice.purpose_id,
        "ended_at": choice.purpose_ended_at,
        "withdrawable": rules.withdrawable(facts.basis, choice),
        "removable": [
            {"name": one, "label": labels.claim_label(one)} for one in taking_back.removable(facts, choice)
        ],
    }
