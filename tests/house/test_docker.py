"""The images and their arrangement: not root, pinned, watched, without secrets, and with settings that load."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import pytest
import yaml

from idp.settings import load
from tests.house.repository import ROOT
from tests.house.test_arrangements import GRACE

DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
ARRANGEMENTS = ["village", "city"]


@pytest.fixture(autouse=True)
def _secret_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What compose takes from docker/.env, and a city does not start without."""
    monkeypatch.setenv("DENIZEN_SERVER__PROXY_SECRET", "0" * 32)


def compose(arrangement: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(
        (DOCKER / f"compose.{arrangement}.yaml").read_text(encoding="utf-8")
    )
    return content


def services() -> list[Any]:
    return [
        pytest.param(service, id=f"{arrangement}-{name}")
        for arrangement in ARRANGEMENTS
        for name, service in compose(arrangement)["services"].items()
    ]


def stages() -> list[str]:
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_image_runs_as_an_ordinary_user() -> None:
    """The last USER of the final stage is neither root nor a name that could be mapped to it."""
    assert re.findall(r"^USER (.+)$", stages()[-1], re.MULTILINE)[-1] == "10001:10001"


def test_image_base_can_be_pinned() -> None:
    """Every stage starts from the one argument, which names a version and takes a digest."""
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert {stage.split()[0] for stage in stages()} == {"${PYTHON_IMAGE}"}


def test_image_installs_locked_wheels_only() -> None:
    """No package manager, no compiler, no download but by hash; and the final stage keeps no installer."""
    assert "--require-hashes" in DOCKERFILE
    assert "--only-binary=:all:" in DOCKERFILE
    assert not re.search(r"apt-get|apk |gcc|curl|wget|^ADD ", DOCKERFILE, re.MULTILINE)
    assert "uninstall --yes --quiet --root-user-action=ignore pip" in stages()[-1]


def test_image_copies_what_is_let_in() -> None:
    """The build context is a list of what may come in, and everything that is copied is on it."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert "*" in ignore
    assert copied == let_in


def test_image_is_watched() -> None:
    """An image without a health check restarts too late; this one needs nothing but Python for it."""
    assert re.search(r"^HEALTHCHECK (.|\\\n)*CMD \[\"python\", .*/health", stages()[-1], re.MULTILINE)
    assert 'ENTRYPOINT ["denizen"]' in stages()[-1]
    assert 'CMD ["serve"]' in stages()[-1]


@pytest.mark.parametrize("service", services())
def test_service_is_confined(service: dict[str, Any]) -> None:
    """No capability, no way to gain one, nothing written but to volumes, never root."""
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "build" in service or service["user"].split(":")[0] not in {"0", "root", ""}
    assert not service.get("privileged")


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_our_services_may_finish_what_is_under_way(arrangement: str) -> None:
    """The grace period is the one that tests/house/test_arrangements.py allows."""
    ours = [service for service in compose(arrangement)["services"].values() if "build" in service]
    assert {service["stop_grace_period"] for service in ours} == {f"{GRACE}s"}


@pytest.mark.parametrize("service", services())
def test_service_has_a_version_and_a_health_check(service: dict[str, Any]) -> None:
    """An image is named by version; our own brings its health check along."""
    image = re.sub(r"^\$\{\w+:-(.+)\}$", r"\1", service["image"])
    assert re.search(r":\d+(\.\d+)*", image), image
    assert "build" in service or service["healthcheck"]["test"]


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_nothing_secret_is_written_down(arrangement: str) -> None:
    """Passwords come from the operator's environment, and a missing one stops the start."""
    for service in compose(arrangement)["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN", name):
                assert re.fullmatch(r"\$\{\w+:[-?][^}]*\}", value), name
            assert not re.search(r"://[^:/@]+:(?!\$\{)[^@]+@", value), name
    assert (
        "password" not in (DOCKER / f"{arrangement}.toml").read_text(encoding="utf-8").split("[database]")[0]
    )
    assert not load(DOCKER / f"{arrangement}.toml").mail.password


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_settings_load(arrangement: str) -> None:
    """The settings file that compose mounts is one that Denizen accepts, with paths inside the volume."""
    settings = load(DOCKER / f"{arrangement}.toml")
    assert settings.is_secure
    assert settings.keys.file.is_relative_to("/var/lib/denizen")
    assert settings.is_sqlite is (arrangement == "village")


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_what_is_mounted_exists(arrangement: str) -> None:
    """A misspelt file would become an empty folder in the container."""
    for service in compose(arrangement)["services"].values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source == "./tls" or not source.startswith(".") or (DOCKER / source).is_file(), mount


def test_village_trusts_the_host_only_and_is_reached_through_it() -> None:
    """Without TLS of its own the container is published on the host's loopback address."""
    content, settings = compose("village"), load(DOCKER / "village.toml")
    assert content["services"]["denizen"]["ports"] == ["127.0.0.1:8400:8400"]
    assert [content["networks"]["village"]["ipam"]["config"][0]["gateway"]] == [
        *settings.server.trusted_proxies
    ]


def test_city_trusts_nginx_only() -> None:
    """Nodes and database are not published, and the one trusted proxy is nginx at its fixed address."""
    content, settings = compose("city"), load(DOCKER / "city.toml")
    address = content["services"]["nginx"]["networks"]["front"]["ipv4_address"]
    assert [*settings.server.trusted_proxies] == [address]
    assert ip_network(content["networks"]["front"]["ipam"]["config"][0]["subnet"]).prefixlen == 24
    assert [name for name, service in content["services"].items() if "ports" in service] == ["nginx"]
    assert content["networks"]["back"]["internal"] is True
