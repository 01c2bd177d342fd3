"""Servers that ask for a certificate answer those who show one of the authority they trust, and nobody else."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from dataflows.services.embedded import embedded_service
from tests.authority import Authority, Pair
from tests.interop.commands import LATECOMER, asked, said
from tests.interop.conftest import JavaClient

LANGUAGES = ("python", "java")
Asked = Callable[..., tuple[int, str, str]]


class Mutual(NamedTuple):
    """Addresses of both services by language, whom to trust, and certificates to show: the right one, and another's."""

    addresses: dict[str, list[str]]
    authority: str
    own: Pair
    foreign: Pair

    def shown(self, which: str) -> list[str]:
        pair = {"own": self.own, "another authority's": self.foreign}.get(which)
        options = ["--tls-ca", self.authority]
        return options if pair is None else [*options, "--tls-cert", pair.cert, "--tls-key", pair.key]


@pytest.fixture(scope="module")
def mutual(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mutual]:
    folder = tmp_path_factory.mktemp("mutual")
    authority, clients, others = (Authority(folder, name) for name in ("servers", "clients", "others"))
    pair = authority.issue("server")
    options = [f"--tls-cert={pair.cert}", f"--tls-key={pair.key}", f"--tls-client-ca={clients.path}"]
    with ExitStack() as ends:
        addresses = {
            language: [
                "localhost:" + address.rpartition(":")[2]
                for address in (
                    ends.enter_context(embedded_service(service, "--language", language, *options))
                    for service in ("features", "inference")
                )
            ]
            for language in LANGUAGES
        }
        yield Mutual(addresses, authority.path, clients.issue("own"), others.issue("foreign"))


@pytest.fixture(params=LANGUAGES)
def client(request: pytest.FixtureRequest) -> Asked:
    if request.param == "python":
        return asked
    java: JavaClient = request.getfixturevalue("java_client")
    return java.asked


@pytest.mark.parametrize("servers", LANGUAGES)
def test_a_client_that_shows_its_certificate_is_answered(mutual: Mutual, client: Asked, servers: str) -> None:
    for way in ("unary", "stream"):
        status, out, err = client(*mutual.addresses[servers], *mutual.shown("own"), "--rpc", way)
        assert (status, err) == (0, "")
        assert "0.515127767" in out


@pytest.mark.parametrize("shown", ["none", "another authority's"])
@pytest.mark.parametrize("servers", LANGUAGES)
def test_a_client_without_such_a_certificate_is_refused_in_one_line(
    mutual: Mutual, client: Asked, servers: str, shown: str
) -> None:
    status, out, err = client(*mutual.addresses[servers], *mutual.shown(shown))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "UNAVAILABLE" in err


@pytest.mark.parametrize("servers", LANGUAGES)
def test_a_run_shows_its_certificate_and_fails_without(mutual: Mutual, servers: str, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    sensors = dict.fromkeys(("sensor1", "sensor2", "sensor3", "sensor4"), 1.5)
    events.write_text(
        "".join(json.dumps({"device_id": "d", "time": time, **sensors}) + "\n" for time in range(0, 200_000, 10_000))
    )
    output = tmp_path / "predictions.jsonl"
    features, inference = mutual.addresses[servers]
    run = [*LATECOMER, "run", "--input", str(events), "--output", str(output), "--tick", "0", "--attempts", "2"]
    run += ["--pause", "1ms", "--features", features, "--inference", inference]
    status, _, err = said(*run, *mutual.shown("own"))
    assert status == 0, err
    assert [json.loads(line)["events"] for line in output.read_text().splitlines()] == list(range(1, 21))
    status, _, err = said(*run, *mutual.shown("none"))
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"latecomer: the features service at {features} failed 2 attempts of up to 10s: UNAVAILABLE")
