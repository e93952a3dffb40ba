"""Settings: one file, variables above it, and every mistake explained in the operator's words."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from idp.settings import Settings, SettingsError, is_loopback, load
from tests.house.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[server]
issuer = "https://id.riverton.example"
staff_url = "https://staff.riverton.example"
[town]
name = "Riverton"
contact_email = "help@riverton.example"
"""


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have settings of their own."""
    for name in os.environ:  # noqa: TID251 - only names, to remove them
        if name.startswith("DENIZEN_"):
            monkeypatch.delenv(name)


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a settings file."""
    path = tmp_path / "denizen.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load(path)
    return refused.value.problems


def changed(section: str, line: str) -> str:
    """The good file with one line more; it replaces the line of the same name."""
    values = tomllib.loads(GOOD)
    values.setdefault(section, {}).pop(line.partition(" ")[0], None)
    kept = [f"[{name}]\n" + "\n".join(f'{k} = "{v}"' for k, v in of.items()) for name, of in values.items()]
    return "\n".join(one + (f"\n{line}" if one.startswith(f"[{section}]") else "") for one in kept)


MISTAKES = [
    ("server", 'issuer = "id.riverton.example"', "[server] issuer: write a full address"),
    ("server", 'issuer = "ftp://id.riverton.example"', "[server] issuer: write a full address"),
    (
        "server",
        'issuer = "http://id.riverton.example"',
        "[server] issuer: a public address must begin with https",
    ),
    ("server", 'issuer = "https://id.riverton.example/x"', "[server] issuer: write the address without path"),
    ("server", 'issuer = "https://u@id.riverton.example"', "[server] issuer: write the address without path"),
    ("server", 'issuer = "https://id.riverton.example?x"', "[server] issuer: write the address without path"),
    ("server", 'issuer = "https://id.riverton.example:port"', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://id.riverton.example:99999"', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://["', "[server] issuer: "),
    ("server", 'issuer = "https://ID.riverton.example"', "[server] issuer: write the address in lower case"),
    *(
        (
            "server",
            f'issuer = "https://{written}"',
            f"[server] issuer: write the address as https://{one}, as",
        )
        for written, one in {
            "id.example:443": "id.example",
            "id.example:08443": "id.example:8443",
            "id.example?": "id.example",
            "id.example#": "id.example",
            "@id.example": "id.example",
            "[2001:db8:0::1]": "[2001:db8::1]",
            "[2001:db8::1]:443": "[2001:db8::1]",
        }.items()
    ),
    (
        "server",
        'issuer = "http://localhost:80"',
        "[server] issuer: write the address as http://localhost, as",
    ),
    ("server", 'issuer = "https://*.example"', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://id.example."', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://-.example"', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://a b.example"', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://10.1"', "[server] issuer: write a full address"),
    ("server", 'issuer = "https://id.0x7f"', "[server] issuer: write a full address"),
    (
        "server",
        'issuer = "https://münchen.example"',
        "[server] issuer: write the host name as it stands in the DNS",
    ),
    ("server", 'issuer = "https://[::ffff:8.8.8.8]"', "[server] issuer: write a plain address"),
    ("server", 'issuer = "https://[fe80::1%eth0]"', "[server] issuer: write a plain address"),
    ("server", 'staff_url = "https://id.riverton.example"', "[server]: staff_url must differ from issuer"),
    ("server", 'bind = "8400"', "[server] bind: write address:port"),
    ("server", 'bind = "127.0.0.1:99999"', "[server] bind: write address:port"),
    ("server", 'bind = "localhost:8400"', "[server] bind: write address:port"),
    ("server", 'staff_bind = ":8401"', "[server] staff_bind: write address:port"),
    ("server", "workers = 0", "[server] workers: "),
    ("server", "workers = 2", "settings: [server] workers must be 1 with SQLite"),
    ("server", 'trusted_proxies = ["nginx"]', "[server] trusted_proxies: 'nginx' does not appear to be"),
    ("server", "isuer = 1", "[server] isuer: no such setting"),
    ("town", 'name = ""', "[town] name: "),
    ("town", 'colour = "green"', "[town] colour: "),
    ("town", 'contact_email = "the town hall"', "[town] contact_email: write an e-mail address"),
    ("town", 'languages = ["xx"]', "[town] languages.0: "),
    ("town", "languages = []", "[town] languages: "),
    ("town", 'time_zone = "Riverton"', "[town] time_zone: no such time zone"),
    ("database", 'url = "mysql://x"', "[database] url: write sqlite:///PATH or postgresql://"),
    ("keys", "publish_for = 60", "settings: [keys] publish_for must outlast"),
    ("keys", "keep_for = 60", "settings: [keys] keep_for must outlast"),
    ("keys", "keep_for = 86400\n[tokens]\naccess_for = 86400", "settings: [keys] keep_for must outlast"),
    ("keys", "sign_for = -1", "[keys] sign_for: "),
    ("mail", 'security = "ssl"', "[mail] security: "),
    ("mail", "port = 0", "[mail] port: "),
    ("mail", 'sender = "Riverton"', "[mail] sender: write an e-mail address"),
    ("mail", 'sender = "a@b\\nBcc: c@d"', "[mail] sender: write an e-mail address"),
    ("tokens", "code_for = 61", "[tokens] code_for: "),
    ("tokens", "access_for = 1", "[tokens] access_for: "),
    (
        "tokens",
        "access_for = 3600\nrefresh_for = 3599",
        "settings: [tokens] refresh_for must be at least access_for",
    ),
    ("sessions", "idle_for = 1", "[sessions] idle_for: "),
    ("passwords", "memory_kib = 64", "[passwords] memory_kib: "),
    ("passwords", "minimum_length = 8", "[passwords] minimum_length: "),
    ("testing", "enabled = true", "settings: [testing] is refused with a public issuer"),
    ("keys", 'algorithms = ["ES256", "PS256"]', "[keys] algorithms: name each algorithm once, RS256"),
    ("keys", 'algorithms = ["RS256", "ES256", "HS256"]', "[keys] algorithms"),
    ("server", 'tls_key = "tls.key"', "[server]: tls_certificate and tls_key belong together"),
    ("server", 'mtls_url = "https://id.riverton.example:8444"', "[server]: mtls_url needs trusted_proxies"),
    ("server", 'proxy_secret = "short"', "[server] proxy_secret: write 32 or more"),
    (
        "server",
        'proxy_secret = "0123456789ABCDEF0123456789ABCDEF"',
        "[server] proxy_secret: write 32 or more",
    ),
    (
        "server",
        'proxy_secret = "0123456789_abcdef0123456789_abcdef"',
        "[server] proxy_secret: write 32 or more",
    ),
    ("elsewhere", "x = 1", "[elsewhere]: no such setting"),
]


@pytest.mark.parametrize(("section", "line", "said"), MISTAKES, ids=[line for _, line, _ in MISTAKES])
def test_each_mistake_is_explained_with_its_place(tmp_path: Path, section: str, line: str, said: str) -> None:
    """A line names section and setting, and says what to write."""
    text = changed(section, line)
    if f"[{section}]" not in text:
        text += f"\n[{section}]\n{line}\n"
    problem, *_ = problems(tmp_path, text)
    assert problem.startswith(said), problem


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Nobody runs the check once per mistake."""
    found = problems(
        tmp_path, '[server]\nissuer = "x"\nworkers = 0\n[town]\nname = ""\n[tokens]\ncode_for = 61\n'
    )
    places = [problem.partition(":")[0] for problem in found]
    assert places == [
        "[server] issuer",
        "[server] staff_url",
        "[server] workers",
        "[town] name",
        "[town] contact_email",
        "[tokens] code_for",
    ]
    assert "[server] staff_url: is missing" in found


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Absent, a folder, not UTF-8, not TOML, half-written: each says which file and why."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "half.toml").write_text('[server]\nissuer = "https://id.riv')
    (tmp_path / "twice.toml").write_text(GOOD + GOOD)
    for name, said in {
        "none.toml": "no such file. Make one with: denizen init",
        "": "cannot be read",
        "bytes.toml": "cannot be read",
        "half.toml": "not valid TOML",
        "twice.toml": "not valid TOML",
    }.items():
        with pytest.raises(SettingsError) as refused:
            load(tmp_path / name)
        (line,) = refused.value.problems
        assert line.startswith(f"{tmp_path / name}: {said}")
        assert "\n" not in line


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`DENIZEN_SECTION__KEY`; secrets such as passwords need not stand in a file."""
    path = tmp_path / "denizen.toml"
    path.write_text(GOOD)
    for name, value in {
        "DENIZEN_TOWN__NAME": "Elsewhere",
        "DENIZEN_DATABASE__URL": "postgresql://denizen:secret@db/denizen",
        "DENIZEN_SERVER__WORKERS": "4",
        "DENIZEN_TOWN__LANGUAGES": '["fr"]',
        "DENIZEN_MAIL__PASSWORD": "hunter2",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load(path)
    assert (settings.town.name, settings.server.workers, settings.town.languages) == ("Elsewhere", 4, ("fr",))
    assert settings.database.url == "postgresql+psycopg://denizen:secret@db/denizen"
    assert settings.server.issuer == "https://id.riverton.example"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DENIZEN_SERVER__WORKERS", "many", "[server] workers: "),
        ("DENIZEN_SERVER__ISUER", "x", "[server] isuer: no such setting"),
        ("DENIZEN_TOWN__LANGUAGES", "en,fr", "[town] a DENIZEN_ variable cannot be read; write a list as"),
        ("DENIZEN_TOWN", "Riverton", "[town] a DENIZEN_ variable cannot be read"),
    ],
)
def test_a_mistake_in_a_variable_is_explained_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """No traceback for a container whose environment has a slip."""
    monkeypatch.setenv(name, value)
    (problem,) = problems(tmp_path, GOOD)
    assert problem.startswith(said), problem


def test_a_variable_of_no_section_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/settings.md: a setting that does not exist is one; else a slip in DATABASE would found a town in SQLite."""
    monkeypatch.setenv("DENIZEN_DATABSE__URL", "postgresql://denizen:hunter2@db/denizen")
    assert problems(tmp_path, GOOD) == ["DENIZEN_DATABSE__URL: no such setting"]


def test_an_explanation_does_not_repeat_a_secret(tmp_path: Path) -> None:
    """The line names the setting; what stands there may be a password."""
    text = GOOD + '[database]\nurl = "mysql://denizen:hunter2@db/x"\n[mail]\npassword = ["hunter2"]\n'
    assert "hunter2" not in "\n".join(problems(tmp_path, text))


def test_settings_cannot_be_changed_once_read(tmp_path: Path) -> None:
    """Read once, frozen all the way down."""
    path = tmp_path / "denizen.toml"
    path.write_text(GOOD)
    settings = load(path)
    for holder, name in ((settings, "town"), (settings.town, "name")):
        with pytest.raises(ValidationError):
            setattr(holder, name, "x")


@pytest.mark.parametrize("name", ["village", "city"])
def test_the_settings_that_we_ship_are_fine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """docker/*.toml are what a town begins with; what is secret comes from docker/.env."""
    monkeypatch.setenv("DENIZEN_SERVER__PROXY_SECRET", "0" * 32)
    settings = load(ROOT / "docker" / f"{name}.toml")
    assert settings.is_secure
    assert settings.is_sqlite == (name == "village")
    assert not settings.testing.enabled


def test_a_proxy_is_an_address_in_whatever_spelling() -> None:
    """As the server names its peers; a network is none."""
    server = {
        **tomllib.loads(GOOD)["server"],
        "trusted_proxies": ["2001:DB8:0::1", "::ffff:10.0.0.1", "10.0.0.2"],
    }
    settings = Settings(**tomllib.loads(GOOD) | {"server": server})
    assert settings.server.trusted_proxies == ("2001:db8::1", "10.0.0.1", "10.0.0.2")
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8"):
        Settings(**tomllib.loads(GOOD) | {"server": server | {"trusted_proxies": ["10.0.0.0/8"]}})


def test_only_this_machine_counts_as_loopback() -> None:
    """Plain http and testing switches are for these alone."""
    ours = [
        "http://localhost:1",
        "http://staff.localhost",
        "http://127.0.0.1:1",
        "http://127.8.8.8",
        "http://[::1]",
    ]
    others = [
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
    ]
    assert [is_loopback(url) for url in (*ours, *others)] == [True] * 5 + [False] * 4


INSIDE = (
    "https://localhost:1",
    "https://op.localhost",
    "https://op.test:8443",
    "https://denizen.internal",
    "https://127.8.8.8",
    "https://[::1]:1",
    "https://10.1.2.3",
    "https://172.31.0.1",
    "https://192.168.7.7:8443",
    "https://[fd00::7]",
)
OUTSIDE = (
    "https://id.riverton.example",
    "https://localhost.emobix.co.uk:8443",
    "https://test",
    "https://internal",
    "https://op.internal.example",
    "https://172.32.0.1",
    "https://8.8.8.8",
    "https://100.64.0.1",
    "https://169.254.169.254",
    "https://0.0.0.0",
    "https://[2001:db8::1]",
    "https://[fe80::1]",
)


def test_testing_is_for_addresses_that_nobody_else_can_own() -> None:
    """Fail closed: a public issuer, staff address or address for certificates refuses every single switch."""
    values: dict[str, Any] = tomllib.loads(GOOD)
    switches: list[dict[str, Any]] = [
        {"enabled": True},
        {"allow_loopback": True},
        {"allow_private": True},
        {"extra_ca": "ca.pem"},
        {"purpose_for_registered": True},
        {"hook_secret": "x" * 32},
    ]
    assert {name for one in switches for name in one} == set(type(Settings(**values).testing).model_fields)
    inside, more = {"staff_url": "https://staff.localhost"}, {"trusted_proxies": ["127.0.0.1"]}
    for issuer in INSIDE:
        server = {**inside, "issuer": issuer}
        assert not Settings(**values | {"server": server}, testing={"enabled": True}).testing.is_off
    for public in OUTSIDE:
        for server in (
            {**inside, "issuer": public},
            {"staff_url": public, "issuer": "https://localhost"},
            {**inside, **more, "mtls_url": public, "proxy_secret": "0" * 32, "issuer": "https://localhost"},
        ):
            with pytest.raises(ValueError, match="refused with a public"):
                Settings(**values | {"server": server}, testing=switches[0])
    for switch in switches:
        with pytest.raises(ValueError, match="refused with a public"):
            Settings(**values, testing=switch)


def test_a_hook_needs_a_long_secret() -> None:
    """It turns keys: nobody may guess it."""
    values: dict[str, Any] = tomllib.loads(GOOD)
    values["server"] = {"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"}
    with pytest.raises(ValueError, match="at least 32"):
        Settings(**values, testing={"hook_secret": "x" * 31})


def test_every_town_may_test_on_its_own_machine() -> None:
    """The switch for conformance runs works where nobody else is."""
    values: dict[str, Any] = tomllib.loads(GOOD)
    values["server"] = {"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"}
    assert Settings(**values, testing={"enabled": True}).testing.enabled
