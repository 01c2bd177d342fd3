"""Servers of both languages, plain and over TLS with tokens, started once for all tests of this folder."""

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from dataflows.java_tools import java_command
from dataflows.services.embedded import embedded_service
from dataflows.services.java import services_jar
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.authority import Authority, Issuer, replace


class Access(NamedTuple):
    """Files that secure channels: the authority, its certificate for servers, the issuer, and one of its tokens."""

    authority: Authority
    cert: str
    key: str
    issuer: Issuer
    token_file: str

    def server_options(self) -> dict[str, str]:
        return {
            "tls_cert": self.cert,
            "tls_key": self.key,
            "jwks": self.issuer.jwks,
            "issuer": Issuer.NAME,
            "audience": Issuer.AUDIENCE,
        }

    def server_arguments(self) -> list[str]:
        return [f"--{name.replace('_', '-')}={value}" for name, value in self.server_options().items()]

    def client_arguments(self) -> list[str]:
        return ["--tls-ca", self.authority.path, "--token-file", self.token_file]


def made_access(folder: Path) -> Access:
    authority, issuer = Authority(folder), Issuer(folder)
    token_file = folder / "token"
    replace(token_file, issuer.token().encode())
    return Access(authority, *authority.issue("server"), issuer, str(token_file))


class JavaClient:
    """The Java client, asked many times in one process."""

    def __init__(self, jar: Path, folder: Path) -> None:
        self._out, self._err = folder / "out", folder / "err"
        options = ["-XX:+UseSerialGC", "-cp", str(jar), str(Path(__file__).with_name("Asks.java"))]
        command = [java_command("this test"), *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *arguments: str) -> bytes:
        """What it prints; it has to succeed."""
        status, out, err = self.asked(*arguments)
        assert status == 0, f"the Java client ended with {status}: {err}"
        return out.encode()

    def asked(self, *arguments: str) -> tuple[int, str, str]:
        """How it ended, and what it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join([str(self._out), str(self._err), "ask", *arguments]) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, self._out.read_text(), self._err.read_text()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()


@pytest.fixture(scope="session")
def access(tmp_path_factory: pytest.TempPathFactory) -> Access:
    return made_access(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="session")
def jar() -> Path:
    for program in ("java", "javac", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on the PATH: install a JDK 17 and Maven")
    return services_jar()


@pytest.fixture(scope="session")
def java_client(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaClient]:
    client = JavaClient(jar, tmp_path_factory.mktemp("java-client"))
    yield client
    client.close()


@pytest.fixture(scope="session")
def servers(jar: Path, access: Access) -> Iterator[dict[tuple[str, str, str], str]]:
    """Addresses by language, service, and ``plain`` or ``tls``."""
    with ExitStack() as ends:
        addresses = {}
        for service in ("features", "inference"):
            for channel, options in (("plain", {}), ("tls", access.server_options() | {"compression": "gzip"})):
                server = start(ServerSettings.of(service, port=0, **options))
                ends.callback(server.stop, 0.0)
                addresses["python", service, channel] = f"localhost:{server.port}"
        wanted = [
            (service, channel, arguments)
            for service in ("features", "inference")
            for channel, arguments in (("plain", []), ("tls", [*access.server_arguments(), "--compression=gzip"]))
        ]
        contexts = [embedded_service(service, "--language", "java", *arguments) for service, _, arguments in wanted]
        with ThreadPoolExecutor(2) as pool:
            for (service, channel, _), context, address in zip(
                wanted, contexts, pool.map(lambda one: one.__enter__(), contexts), strict=True
            ):
                ends.push(context.__exit__)
                addresses["java", service, channel] = f"localhost:{address.rpartition(':')[2]}"
        yield addresses
