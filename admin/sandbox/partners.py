"""The partners of Riverton: their clients, why they ask for data, and the words that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consent.purposes import Asked, NoticeText, Party, Processing
from idp.clients.metadata import DEVICE_GRANT, Details, NewClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.sandbox.ports import Ports

_YEAR: Final = 365 * 86_400
_SIGNS_IN: Final = ("authorization_code", "refresh_token")
_SCOPES: Final = ("openid", "profile", "email", "offline_access")


_AUTHORITY: Final = Party(
    "Data Protection Office of Riverton County",
    "1 County Square, Riverton",
    type="public_authority",
    url="https://privacy.county.example",
    email="complaints@privacy.county.example",
)


def _facts(name: str, address: str, kind: str, recipients: tuple[str, ...] = ()) -> Processing:
    """Who answers, and where data is kept: for every sample partner within the county."""
    mailbox = name.lower().replace(" ", "-") + "@riverton.example"
    return Processing(
        controllers=(Party(name, address, "Data protection officer", kind, email=mailbox),),
        storage_locations=("Riverton County",),
        processing_locations=("Riverton County",),
        jurisdiction="Riverton County",
        recipients=recipients,
        collection_method="from the resident’s town account, when they sign in",
        processing_method="stored and read in the service’s own database",
        geographic_restrictions=("Riverton County",),
        codes_of_conduct=("Riverton open services code",),
        impact_assessment="not needed: no data of special categories",
        authority=_AUTHORITY,
    )


_LIBRARY: Final = _facts("Riverton Public Library", "4 Mill Lane, Riverton", "public_authority")
_TAX: Final = _facts("Riverton Tax Office", "2 Town Hall Square, Riverton", "public_authority")
_FRIENDS: Final = _facts("Friends of Riverton", "9 Ferry Street, Riverton", "association")
_HALL: Final = _facts("Riverton Town Hall", "1 Town Hall Square, Riverton", "public_authority")


@dataclass(frozen=True, slots=True)
class SamplePurpose:
    """Why a client asks, with the notice in English and French."""

    key: str
    basis: str
    texts: Mapping[str, NoticeText]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    retention_for: int | None = None
    purpose_type: str | None = None
    valid_for: int | None = None
    processing: Processing | None = None

    @property
    def asked(self) -> Asked:
        """Which data, and for how long."""
        return Asked(self.required, self.optional, self.retention_for, self.valid_for)


@dataclass(frozen=True, slots=True)
class SampleClient:
    """A client to be, of a partner, with its purposes."""

    partner: str
    new: NewClient
    purposes: tuple[SamplePurpose, ...] = ()


LIBRARY_ACCOUNT: Final = SamplePurpose(
    key="library-account",
    purpose_type="account",
    processing=_LIBRARY,
    basis="consent",
    required=("name",),
    optional=("email",),
    retention_for=2 * _YEAR,
    texts={
        "en": NoticeText(
            title="Your library account",
            why="The library opens an account in your name, so that you can borrow and reserve. "
            "With your e-mail address it can remind you before a loan is due.",
            retention_text="The library keeps this for as long as you use your account, and two years longer.",
            recipients="Nobody else receives it.",
        ),
        "fr": NoticeText(
            title="Votre compte à la bibliothèque",
            why="La bibliothèque ouvre un compte à votre nom pour vos emprunts et réservations. "
            "Avec votre adresse e-mail, elle peut vous prévenir avant la date de retour.",
            retention_text="La bibliothèque garde ces données tant que vous utilisez votre compte, "
            "puis deux ans de plus.",
            recipients="Personne d’autre ne les reçoit.",
        ),
    },
)
#: What the library would like to say from now on, and how much longer it would keep the data, in seconds.
LIBRARY_KEEPS_LONGER: Final = _YEAR
LIBRARY_LATER: Final = {
    "en": "The library keeps this for as long as you use your account, and three years longer.",
    "fr": "La bibliothèque garde ces données tant que vous utilisez votre compte, puis trois ans de plus.",
}
TAX_FILE: Final = SamplePurpose(
    key="tax-file",
    purpose_type="tax",
    processing=_TAX,
    basis="public_task",
    required=("name", "birthdate", "email"),
    retention_for=10 * _YEAR,
    texts={
        "en": NoticeText(
            title="Your tax file",
            why="The tax office finds your file and writes to you about it. The law asks the town to do this.",
            retention_text="The tax office keeps this for ten years, as the law says.",
            recipients="Only the tax office receives it.",
        ),
        "fr": NoticeText(
            title="Votre dossier fiscal",
            why="Le service des impôts retrouve votre dossier et vous écrit à son sujet. "
            "La loi en charge la ville.",
            retention_text="Le service des impôts garde ces données dix ans, comme le veut la loi.",
            recipients="Le service des impôts seulement.",
        ),
    },
)
TAX_REMINDERS: Final = SamplePurpose(
    key="tax-reminders",
    purpose_type="reminder",
    processing=_TAX,
    basis="consent",
    optional=("phone_number",),
    retention_for=_YEAR,
    texts={
        "en": NoticeText(
            title="Reminders by phone",
            why="If you like, the tax office sends you a text message before a payment is due.",
            retention_text="The tax office keeps your number until you say stop, a year at most.",
            recipients="Nobody else receives it.",
        ),
        "fr": NoticeText(
            title="Rappels par téléphone",
            why="Si vous le souhaitez, le service des impôts vous envoie un SMS avant chaque échéance.",
            retention_text="Le service des impôts garde votre numéro jusqu’à ce que vous disiez stop, "
            "un an au plus.",
            recipients="Personne d’autre ne le reçoit.",
        ),
    },
)
TAX_SMS: Final = SamplePurpose(
    key="tax-sms",
    basis="consent",
    purpose_type="reminder",
    valid_for=_YEAR,
    processing=_TAX,
    texts={
        "en": NoticeText(
            title="May we remind you of taxes by text message?",
            why="If you agree, the tax office may write to the number that it has, before a payment is due.",
            retention_text="The tax office keeps your answer until you change it.",
            recipients="Nobody else learns of it.",
        ),
        "fr": NoticeText(
            title="Pouvons-nous vous rappeler vos impôts par SMS ?",
            why="Si vous êtes d’accord, le service des impôts peut écrire au numéro qu’il connaît, "
            "avant chaque échéance.",
            retention_text="Le service des impôts garde votre réponse jusqu’à ce que vous la changiez.",
            recipients="Personne d’autre ne l’apprend.",
        ),
    },
)
POCKET_ACCOUNT: Final = SamplePurpose(
    key="pocket",
    purpose_type="account",
    processing=_FRIENDS,
    basis="consent",
    required=("name",),
    optional=("email",),
    retention_for=_YEAR,
    texts={
        "en": NoticeText(
            title="Riverton in your pocket",
            why="The app greets you by name. With your e-mail address it can send you what you saved.",
            retention_text="Your data stays on your phone until you remove the app, a year at most.",
            recipients="Nobody else receives it.",
        ),
        "fr": NoticeText(
            title="Riverton dans votre poche",
            why="L’application vous salue par votre nom. Avec votre adresse e-mail, elle peut vous envoyer "
            "ce que vous avez gardé.",
            retention_text="Vos données restent sur votre téléphone jusqu’à ce que vous retiriez "
            "l’application, un an au plus.",
            recipients="Personne d’autre ne les reçoit.",
        ),
    },
)

NOTICEBOARD: Final = SamplePurpose(
    key="noticeboard",
    purpose_type="participation",
    processing=_HALL,
    basis="consent",
    required=("name",),
    retention_for=_YEAR,
    texts={
        "en": NoticeText(
            title="Your notes on the noticeboard",
            why="The noticeboard in the town hall shows your notes under your name.",
            retention_text="The town hall keeps your name with your notes, a year at most.",
            recipients="Whoever stands in front of the noticeboard reads it.",
        ),
        "fr": NoticeText(
            title="Vos annonces au tableau",
            why="Le tableau d’affichage de la mairie montre vos annonces sous votre nom.",
            retention_text="La mairie garde votre nom avec vos annonces, un an au plus.",
            recipients="Toute personne devant le tableau peut le lire.",
        ),
    },
)


def sample_clients(ports: Ports) -> tuple[SampleClient, ...]:
    """Every client of the town, at the addresses of these ports."""
    return (
        SampleClient(
            "Riverton Public Library",
            _website("riverton-library", "Riverton Public Library", ports.library_url, _SCOPES),
            (LIBRARY_ACCOUNT,),
        ),
        SampleClient(
            "Riverton Tax Office",
            _website("riverton-tax", "Riverton Tax Portal", ports.tax_url, (*_SCOPES, "phone")),
            (TAX_FILE, TAX_REMINDERS, TAX_SMS),
        ),
        SampleClient("Friends of Riverton", _POCKET, (POCKET_ACCOUNT,)),
        SampleClient("Riverton Town Hall", _BOARD, (NOTICEBOARD,)),
        SampleClient("Riverton Street Works", _LIGHTS),
    )


def _website(client_id: str, name: str, url: str, scopes: tuple[str, ...]) -> NewClient:
    return NewClient(
        name,
        (f"{url}/callback",),
        client_id=client_id,
        post_logout_redirect_uris=(f"{url}/signed-out",),
        grant_types=_SIGNS_IN,
        scopes=scopes,
        home_url=f"{url}/",
        details=Details(
            initiate_login_uri=f"{url}/start",
            backchannel_logout_uri=f"{url}/back-channel-logout",
            backchannel_logout_session_required=True,
            events_uri=f"{url}/events",
        ),
    )


_POCKET: Final = NewClient(
    "Riverton Pocket",
    ("http://127.0.0.1/callback", "http://[::1]/callback"),
    client_id="riverton-pocket",
    application_type="native",
    token_endpoint_auth_method="none",  # noqa: S106 - a public client
    grant_types=_SIGNS_IN,
    scopes=_SCOPES,
)
_BOARD: Final = NewClient(
    "Riverton Noticeboard",
    client_id="riverton-noticeboard",
    application_type="native",
    token_endpoint_auth_method="none",  # noqa: S106 - a public client
    grant_types=(DEVICE_GRANT, "refresh_token"),
    scopes=("openid", "profile", "offline_access"),
)
_LIGHTS: Final = NewClient(
    "Riverton Street Lights",
    client_id="riverton-street-lights",
    grant_types=("client_credentials",),
    scopes=("lights:read",),
    protects_scopes=("lights:read",),
)
