"""What the commands say when a service does not let them in: one line, and nothing that is secret."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.authority import DAY, Authority, replace
from tests.interop.commands import ASK, asked
from tests.interop.conftest import Access, made_access
from tests.interop.token_endpoint import Asked, Reply, token_endpoint


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Access, list[str]]]:
    """Files, and the addresses of both services."""
    access = made_access(tmp_path_factory.mktemp("refusing"))
    servers = [start(ServerSettings.of(name, port=0, **access.server_options())) for name in ("features", "inference")]
    yield access, [f"localhost:{server.port}" for server in servers]
    for server in servers:
        server.stop(0.0)


@pytest.mark.parametrize("how", ["expired", "for somebody else", "lacks the scope"])
def test_a_bad_token_is_one_line_without_the_token(secured, tmp_path, how, caplog):
    caplog.set_level(logging.DEBUG)
    access, addresses = secured
    claims = {
        "expired": {"exp": datetime.now(UTC) - timedelta(minutes=1)},
        "for somebody else": {"aud": "somebody else"},
        "lacks the scope": {"scope": "latecomer.inference"},
    }[how]
    token = access.issuer.token(**claims)
    (tmp_path / "token").write_text(token)
    status, out, err = asked(*addresses, "--tls-ca", access.authority.path, "--token-file", str(tmp_path / "token"))
    told = "the token does not allow this" if how == "lacks the scope" else "the token is missing or not valid"
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(f": {told}\n")
    assert token not in err + caplog.text


def test_another_authority_another_name_and_an_expired_certificate_are_refused_in_one_line(secured, tmp_path):
    access, addresses = secured
    other = Authority(tmp_path, "other")
    rest = ["--token-file", access.token_file]
    expired = access.authority.issue("expired", ends=-DAY / 2)
    elsewhere = access.authority.issue("elsewhere", hosts=("elsewhere.test",))
    servers = [
        start(ServerSettings.of("features", port=0, **access.server_options() | {"tls_cert": cert, "tls_key": key}))
        for cert, key in (expired, elsewhere)
    ]
    for features, ca in [
        (addresses[0], other.path),
        *((f"localhost:{server.port}", access.authority.path) for server in servers),
    ]:
        status, out, err = asked(features, addresses[1], "--tls-ca", ca, *rest)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(f"latecomer: the features service at {features} failed 3 attempts of up to 10s: UNAVAIL")
    for server in servers:
        server.stop(0.0)


def test_a_plain_channel_to_a_tls_server_is_refused_in_one_line(secured):
    _, addresses = secured
    status, out, err = asked(*addresses)
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_a_token_from_an_endpoint_lets_in_and_no_secret_is_seen_from_outside(secured, tmp_path):
    access, addresses = secured
    secret, token = "a-secret-of-the-client", access.issuer.token()
    replace(tmp_path / "secret", secret.encode())
    seen: list[str] = []
    processes: list[subprocess.Popen[str]] = []

    def reply(_: Asked) -> Reply:
        if not seen and Path("/proc").is_dir():
            folder = Path("/proc", str(processes[0].pid))
            seen.extend((folder / name).read_text() for name in ("cmdline", "environ"))
        return Reply({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    with token_endpoint(reply) as url:
        options = ["--token-endpoint", url, "--client-id", "me", "--client-secret-file", str(tmp_path / "secret")]
        command = [*ASK, *addresses, "--tls-ca", access.authority.path, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            processes.append(process)
            out, err = process.communicate()
    assert process.returncode == 0, err
    assert "0.515127767" in out
    assert all(secret not in text and token not in text for text in [*seen, out, err])


def test_an_endpoint_that_refuses_is_one_line_without_the_secret(secured, tmp_path):
    access, addresses = secured
    replace(tmp_path / "secret", b"a-secret-of-the-client")
    with token_endpoint(lambda _: Reply({"error": "a-secret-of-the-client"}, 401)) as url:
        options = ["--token-endpoint", url, "--client-id", "me", "--client-secret-file", str(tmp_path / "secret")]
        status, out, err = asked(*addresses, "--tls-ca", access.authority.path, *options)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(f"UNAUTHENTICATED: the token endpoint {url} answered 401\n")


def test_a_server_logs_no_token_and_no_key(secured, tmp_path):
    access, _ = secured
    arguments = [sys.executable, "-m", "dataflows.command_line", "serve", "features", "--port", "0"]
    pipe = subprocess.PIPE
    token = access.issuer.token(exp=datetime.now(UTC) - timedelta(minutes=1))
    (tmp_path / "token").write_text(token)
    with subprocess.Popen(
        [*arguments, *access.server_arguments()],
        env=os.environ | {"GRPC_VERBOSITY": "DEBUG"},
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip().rpartition(":")[2]
        address = f"localhost:{port}"
        status, _, err = asked(
            address, address, "--tls-ca", access.authority.path, "--token-file", str(tmp_path / "token")
        )
        assert status == 1
        replace(access.key, b"-----BEGIN PRIVATE KEY-----\nnot a key\n")
        assert asked(address, address, "--tls-ca", access.authority.path)[0] == 1
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate()
    assert f"{access.key}: holds no private key that can be read" in log
    assert token not in log + err
    assert "not a key" not in log
    assert "BEGIN PRIVATE KEY" not in log
    access.authority.issue("server")
