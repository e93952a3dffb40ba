"""What a notice says besides its words: who processes where and how, which data, for how long. Pure.

The fields are those that ISO/IEC TS 27560:2023 asks of a consent record. :func:`differences` works out what changed
between two versions, and :func:`is_material` whether residents have to choose again: nobody can declare that away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

What = Literal["purpose", "controller", "recipients", "data", "less_data", "retention", "validity", "places"]
PARTY_TYPES: Final = ("public_authority", "company", "association", "person", "other")
#: What never makes residents choose again.
_HARMLESS: Final = frozenset({"less_data"})


@dataclass(frozen=True, slots=True)
class Party:
    """Someone who answers for data; ``type`` is one of :data:`PARTY_TYPES`."""

    name: str
    address: str = ""
    contact: str = ""
    type: str = "other"
    url: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Processing:
    """Who processes where and how. Empty where nobody said."""

    controllers: tuple[Party, ...] = ()
    storage_locations: tuple[str, ...] = ()
    processing_locations: tuple[str, ...] = ()
    jurisdiction: str = ""
    recipients: tuple[str, ...] = ()
    collection_method: str = ""
    processing_method: str = ""
    geographic_restrictions: tuple[str, ...] = ()
    codes_of_conduct: tuple[str, ...] = ()
    impact_assessment: str = ""
    authority: Party | None = None

    @property
    def by_authority(self) -> bool:
        """Whether a public authority answers for the data."""
        return any(one.type == "public_authority" for one in self.controllers)


NOTHING_SAID: Final = Processing()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which data is asked for, how long it is kept and how long a consent lasts; both in seconds, None: not said."""

    required_claims: tuple[str, ...] = ()
    optional_claims: tuple[str, ...] = ()
    retention_for: int | None = None
    valid_for: int | None = None

    @property
    def claims(self) -> tuple[str, ...]:
        """Required claims, then optional ones."""
        return self.required_claims + self.optional_claims


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was; ``before`` and ``after`` are names, claims or seconds as texts."""

    what: What
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def material(self) -> bool:
        """Whether residents have to choose again because of it."""
        return self.what not in _HARMLESS


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of a notice says, apart from its title and reason; recipients as written by language."""

    asked: Asked
    processing: Processing = NOTHING_SAID
    recipients_text: Mapping[str, str] | None = None


def differences(old: Version, new: Version, *, other_purpose: bool = False) -> tuple[Change, ...]:
    """What changed. ``other_purpose`` is somebody's word that the reason itself is another one."""
    found = [Change("purpose")] if other_purpose else []
    found += _parties(old.processing, new.processing)
    found += _recipients(old, new)
    found += _data(old.asked, new.asked)
    found += _longer("retention", old.asked.retention_for, new.asked.retention_for)
    found += _longer("validity", old.asked.valid_for, new.asked.valid_for)
    found += _places(old.processing, new.processing)
    return tuple(found)


def is_material(changes: Iterable[Change]) -> bool:
    """Whether residents have to choose again."""
    return any(one.material for one in changes)


def _parties(old: Processing, new: Processing) -> list[Change]:
    before, after = (tuple(one.name for one in each.controllers) for each in (old, new))
    return [Change("controller", before, after)] if before and set(before) != set(after) else []


def _recipients(old: Version, new: Version) -> list[Change]:
    before, after = old.processing.recipients, new.processing.recipients
    if NOTHING_SAID not in {old.processing, new.processing}:
        return [Change("recipients", before, after)] if set(after) - set(before) else []
    # Nobody named them but in words, so that other words may be other recipients.
    said, says = old.recipients_text or {}, new.recipients_text or {}
    changed = [one for one in said if one in says and said[one] != says[one]]
    return [
        Change("recipients", tuple(said[one] for one in changed), tuple(says[one] for one in changed))
    ] * bool(changed)


def _data(old: Asked, new: Asked) -> list[Change]:
    added = tuple(one for one in new.claims if one not in old.claims)
    needed = tuple(one for one in new.required_claims if one in old.optional_claims)
    gone = tuple(one for one in old.claims if one not in new.claims)
    found = [Change("data", (), added + needed)] if added or needed else []
    return [*found, Change("less_data", gone, ())] if gone else found


def _longer(what: Literal["retention", "validity"], old: int | None, new: int | None) -> list[Change]:
    """Longer than it was; not saying how long any more is longer, too."""
    if old is None or (new is not None and new <= old):
        return []
    return [Change(what, (str(old),), () if new is None else (str(new),))]


def _places(old: Processing, new: Processing) -> list[Change]:
    before, after = (
        tuple(
            dict.fromkeys(
                (*each.storage_locations, *each.processing_locations, *each.geographic_restrictions)
            )
        )
        for each in (old, new)
    )
    return [Change("places", before, after)] if before and set(before) != set(after) else []


# --- as JSON ---


def to_json(value: Processing | Asked | Change) -> dict[str, Any]:
    """As plain JSON."""
    return asdict(value)


def processing_from(value: Mapping[str, Any] | None) -> Processing:
    """Back from JSON; what is not known is refused.

    Raises:
        TypeError: for an unknown field.
    """
    if not value:
        return NOTHING_SAID
    plain: dict[str, Any] = {
        name: tuple(one) if isinstance(one, (list, tuple)) else one for name, one in value.items()
    }
    plain["controllers"] = tuple(Party(**one) for one in value.get("controllers", ()))
    plain["authority"] = Party(**value["authority"]) if value.get("authority") else None
    return Processing(**plain)


def asked_from(value: Mapping[str, Any]) -> Asked:
    """Back from JSON."""
    lists = {name: tuple(value.get(name, ())) for name in ("required_claims", "optional_claims")}
    return Asked(**lists, retention_for=value.get("retention_for"), valid_for=value.get("valid_for"))


def changes_from(value: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Back from JSON."""
    return tuple(Change(one["what"], tuple(one["before"]), tuple(one["after"])) for one in value)
