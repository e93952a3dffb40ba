"""Who lives in Riverton. Nobody here exists; each of them is somebody that a town must not forget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIL_DOMAIN: Final = "riverton.example"


@dataclass(frozen=True, slots=True)
class Sample:
    """A resident to be. `said` is what they told us, `on_register` what the town's register says of them.

    `story` is for the person who tries the demo. `factors` are further ways to sign in (app, recovery-codes, sms,
    card); `phone` is a confirmed number in E.164 form, one of those that are kept for films and never given to anybody.
    Without `username` there is no password either. `age` becomes a date of birth in the year of the seeding, so that a
    child stays a child.
    """

    username: str | None
    story: str
    said: Mapping[str, Any]
    on_register: Mapping[str, Any] = field(default_factory=dict)
    age: int = 40
    birthday: str = "03-14"
    language: str = "en"
    has_email: bool = True
    phone: str | None = None
    factors: tuple[str, ...] = ()

    @property
    def email(self) -> str | None:
        """The address, of those who have one."""
        return f"{self.username}@{MAIL_DOMAIN}" if self.username and self.has_email else None

    def birthdate(self, year: int) -> str:
        """An ISO date that makes them `age` years old within `year`."""
        return f"{year - self.age}-{self.birthday}"


def _names(given: str, family: str | None = None, **more: Any) -> dict[str, Any]:
    return {"given_name": given, **({"family_name": family} if family else {}), **more}


def _address(street: str, postcode: str, town: str = "Riverton") -> dict[str, str]:
    return {
        "formatted": f"{street}\n{postcode} {town}",
        "street_address": street,
        "postal_code": postcode,
        "locality": town,
    }


def _lives(district: str, street: str, postcode: str) -> dict[str, Any]:
    return {"resident": True, "district": district, "address": _address(street, postcode)}


_DUARTE: Final = _lives("Mill Quarter", "31 Weaver Lane", "40210")
_KIM: Final = _lives("Hillside", "8 Orchard Rise", "40330")

RESIDENTS: Final = (
    Sample(
        "maria.okafor",
        "a good one to begin with",
        _names("Maria", "Okafor"),
        _lives("Old Town", "12 Bridge Street", "40110"),
        age=38,
        phone="+12025550142",
    ),
    Sample(
        "kartika",
        "has one name only",
        _names("Kartika"),
        _lives("Old Town", "5 Market Square", "40110"),
        age=51,
        birthday="11-02",
        phone="+12025550117",
    ),
    Sample(
        "layla.haddad",
        "her name is written from right to left",
        _names("ليلى", "حدّاد"),
        _lives("Riverside", "77 Quay Road", "40120"),
        age=29,
        birthday="07-30",
        language="fr",
        phone="+12025550163",
    ),
    Sample(
        "ana.duarte",
        "twin: same name, birthday and home as the next one",
        _names("Ana", "Duarte", middle_name="Inês"),
        _DUARTE,
        age=22,
        birthday="05-09",
    ),
    Sample(
        "ana.rita.duarte",
        "twin: same name, birthday and home as the one before",
        _names("Ana", "Duarte", middle_name="Rita"),
        _DUARTE,
        age=22,
        birthday="05-09",
    ),
    Sample(
        "jean.lefevre",
        "has moved away, so is no resident any more; reads French",
        _names("Jean-Baptiste", "Lefèvre"),
        {"resident": False, "address": _address("4 rue des Tanneurs", "25000", "Besançon")},
        age=63,
        birthday="01-21",
        language="fr",
        phone="+12025550188",
    ),
    Sample("noah.kim", "is thirteen", _names("Noah", "Kim"), _KIM, age=13, birthday="01-05"),
    Sample(
        "jiwon.kim",
        "is Noah's parent",
        _names("Jiwon", "Kim"),
        _KIM,
        age=44,
        birthday="09-17",
        phone="+12025550129",
    ),
    Sample(
        "elena.petrova",
        "has a protected address: the town does not even hold it here",
        _names("Elena", "Petrova"),
        {"resident": True},
        age=35,
        birthday="12-12",
        phone="+12025550174",
    ),
    Sample(
        "samuel.reyes",
        "lives at the shelter: no address, no phone, no e-mail, but a card with PIN and paper list",
        _names("Samuel", "Reyes"),
        {"resident": True, "district": "Harbour"},
        age=57,
        birthday="02-28",
        has_email=False,
        factors=("card",),
    ),
    Sample(
        "tomas.novak",
        "uses an app that shows codes, besides the password",
        _names("Tomáš", "Novák"),
        _lives("Hillside", "3 Beacon Street", "40330"),
        age=47,
        birthday="04-18",
        factors=("app",),
    ),
    Sample(
        "grace.mwangi",
        "has lost the phone with her app, and kept her recovery codes",
        _names("Grace", "Mwangi"),
        _lives("Riverside", "19 Ferry Steps", "40120"),
        age=33,
        birthday="08-06",
        factors=("lost-app", "recovery-codes"),
    ),
    Sample(
        "omar.benali",
        "gets a code by text message, besides the password",
        _names("Omar", "Benali"),
        _lives("Mill Quarter", "2 Loom Court", "40210"),
        age=26,
        birthday="10-29",
        phone="+12025550151",
        factors=("sms",),
    ),
    Sample(
        None,
        "has nothing but a card: no user name, no password, no e-mail, no phone",
        _names("Ágnes", "Varga"),
        _lives("Old Town", "40 Lantern Row", "40110"),
        age=81,
        birthday="06-11",
        has_email=False,
        factors=("card",),
    ),
)
