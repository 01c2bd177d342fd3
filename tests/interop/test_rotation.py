"""Certificates, authorities, signing keys and tokens change under a steady load, and no call fails, not even once."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from dataflows.pipeline.metrics import Metrics
from dataflows.services.asked_windows import demo_window
from dataflows.services.client import ServiceClient, Services
from dataflows.services.embedded import embedded_service
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.authority import Authority, replace
from tests.interop.conftest import Access, made_access
from tests.interop.load import Load


@pytest.fixture(scope="module")
def secured(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Access, Services]]:
    """A Python feature service and a Java inference service, which have their clients connect anew all the time."""
    access = made_access(tmp_path_factory.mktemp("rotated"))
    server = start(ServerSettings.of("features", port=0, max_connection_age_ms=1_000, **access.server_options()))
    options = ["--language", "java", "--max-connection-age", "1s", *access.server_arguments()]
    with embedded_service("inference", *options) as inference:
        yield access, Services(f"localhost:{server.port}", f"localhost:{inference.rpartition(':')[2]}")
    server.stop(0.0)


@pytest.fixture
def load(secured: tuple[Access, Services]) -> Iterator[Load]:
    """One attempt a call: what fails once has failed."""
    access, services = secured
    with Load(*services, attempts=1, tls_ca=access.authority.path, token_file=access.token_file) as running:
        yield running
        running.wait_for_more()
    assert running.failures == []
    assert running.retries() == 0


def lets_in(services: Services, ca: str, token_file: str) -> bool:
    """Whether both services answer to whoever has this authority and this token."""
    settings = RunSettings.of(
        features=services.features, inference=services.inference, attempts=1, tls_ca=ca, token_file=token_file
    )
    with closing(ServiceClient(services, settings, Metrics())) as client:
        try:
            client.answers([demo_window()])
        except ServiceError:
            return False
    return True


def shown(address: str) -> str:
    """The certificate that a server shows now."""
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port))).strip()


def wait_until(holds: Callable[[], bool], load: Load) -> None:
    while not holds():
        load.wait_for_more(5)


def test_new_leaf_certificates_fail_no_call(secured, load):
    access, services = secured
    for _ in range(3):
        access.authority.issue("server")
        new = Path(access.cert).read_text().strip()
        wait_until(lambda new=new: {shown(address) for address in services} == {new}, load)
        load.wait_for_more()


def test_a_new_signing_key_and_new_tokens_fail_no_call(secured, load, tmp_path):
    access, services = secured
    issuer = access.issuer
    for new in ("second", "third"):
        old = list(issuer.keys)[-1]
        issuer.keys[new] = ec.generate_private_key(ec.SECP256R1())
        issuer.publish()
        probe = tmp_path / new
        replace(probe, issuer.token(new).encode())
        wait_until(lambda probe=probe: lets_in(services, access.authority.path, str(probe)), load)
        replace(access.token_file, issuer.token(new).encode())
        load.wait_for_more()
        replace(probe, issuer.token(old).encode())
        del issuer.keys[old]
        issuer.publish()
        wait_until(lambda probe=probe: not lets_in(services, access.authority.path, str(probe)), load)
        load.wait_for_more()


def test_a_new_authority_fails_no_call(secured, load, tmp_path):
    access, services = secured
    old = Path(access.authority.path).read_bytes()
    next_one = Authority(tmp_path, "next")
    only_new = Path(next_one.path).read_bytes()
    replace(access.authority.path, old + only_new)  # first the clients trust both
    load.wait_for_more()
    issued = next_one.issue("server")
    replace(access.key, Path(issued.key).read_bytes())
    replace(access.cert, Path(issued.cert).read_bytes())
    wait_until(lambda: lets_in(services, next_one.path, access.token_file), load)
    replace(access.authority.path, only_new)  # then only the new one
    load.wait_for_more()
