"""Every rule of docs/tokens.md about tokens and key sets, tried on the servers of both languages."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from dataflows.services.embedded import embedded_service
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from tests.authority import Authority, Issuer, replace
from tests.grpc_services.python.messages import event_list
from tests.token_rules import ALGORITHMS, HEADERS, NOT_VALID, OK, TEXTS, TOKENS
from tests.tokens import TokenMaker, base64url

IN_TIME_S: Final = 20.0
"""How long a test waits for a server to notice a changed file; a second is what the page says."""


class Server(NamedTuple):
    maker: TokenMaker
    channel: grpc.Channel

    def told(self, *values: str) -> tuple[grpc.StatusCode, str | None]:
        """How a call with these values of ``authorization`` ends."""
        stub = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(self.channel)
        metadata = [("authorization", value) for value in values]
        try:
            stub.engineerFeatures(event_list([(1, 1.0, 1.0, 1.0, 1.0)]), metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return OK, None

    def lets_in(self, token: str, expected: bool) -> bool:
        """Whether that comes about in time: files are looked at now and then."""
        until_s = time.monotonic() + IN_TIME_S
        while time.monotonic() < until_s:
            if (self.told(f"Bearer {token}")[0] is OK) is expected:
                return True
        return False


@pytest.fixture(scope="module", params=["python", "java"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rules")
    maker, authority = TokenMaker(folder), Authority(folder)
    pair = authority.issue("server")
    options = {"tls_cert": pair.cert, "tls_key": pair.key, "jwks": maker.jwks}
    options |= {"issuer": Issuer.NAME, "audience": Issuer.AUDIENCE}
    algorithms = [*ALGORITHMS]
    credentials = grpc.ssl_channel_credentials(Path(authority.path).read_bytes())
    with ExitStack() as ends:
        if request.param == "python":
            running = start(ServerSettings.of("features", port=0, jwt_algorithms=tuple(algorithms), **options))
            ends.callback(running.stop, 0.0)
            address = f"localhost:{running.port}"
        else:
            request.getfixturevalue("jar")
            arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
            arguments += [f"--jwt-algorithms={','.join(algorithms)}", "--language", "java"]
            address = ends.enter_context(embedded_service("features", *arguments))
            address = f"localhost:{address.rpartition(':')[2]}"
        yield Server(maker, ends.enter_context(grpc.secure_channel(address, credentials)))


@pytest.mark.parametrize("row", TOKENS)
def test_a_token_is_judged_as_the_page_says(server: Server, row: str) -> None:
    made, expected = TOKENS[row]
    assert server.told(f"Bearer {made(server.maker)}") == (expected, TEXTS[expected])


@pytest.mark.parametrize("row", HEADERS)
def test_the_authorization_metadata_is_judged_as_the_page_says(server: Server, row: str) -> None:
    made, expected = HEADERS[row]
    assert server.told(*made(server.maker.token())) == (expected, TEXTS[expected])


def test_a_token_of_8192_characters_is_looked_at_and_a_longer_one_lets_nobody_in(server: Server) -> None:
    short = len(server.maker.token(claims={"more": ""}))
    assert server.told(f"Bearer {server.maker.token(claims={'more': 'x' * (5_000 - short)})}") == (OK, None)
    code, _ = server.told(f"Bearer {server.maker.token(claims={'more': 'x' * 8_192})}")
    assert code is not OK  # gRPC may refuse the headers before anybody looks at a token


@pytest.fixture
def keys_put_back(server: Server) -> Iterator[None]:
    before = Path(server.maker.jwks).read_bytes()
    token = server.maker.token()
    assert server.lets_in(token, True)
    yield
    replace(server.maker.jwks, before)
    assert server.lets_in(token, True)


@pytest.mark.usefixtures("keys_put_back")
@pytest.mark.parametrize("left", [[], ["for encryption"]], ids=["empty set", "set of none that fits"])
def test_a_set_that_loses_its_last_key_shuts_everybody_out_at_once(server: Server, left: list[str]) -> None:
    server.maker.publish(*(server.maker.public(name) for name in left))
    assert server.lets_in(server.maker.token(), False)


def weak_key(maker: TokenMaker) -> dict[str, Any]:
    maker.keys["weak"] = rsa.generate_private_key(65537, 1024)
    return maker.public("weak")


@pytest.mark.usefixtures("keys_put_back")
@pytest.mark.parametrize("row", ["weak set", "set that is gone", "pipe", "keys that are an object", "key too large"])
def test_an_unreadable_set_keeps_the_last_keys_for_now_and_brings_no_new_one(server: Server, row: str) -> None:
    kept, new = server.maker.token(), server.maker.token("unpublished")
    if row == "set that is gone":
        Path(server.maker.jwks).unlink()
    elif row == "pipe":
        Path(server.maker.jwks).unlink()
        os.mkfifo(server.maker.jwks)
    elif row == "keys that are an object":
        replace(server.maker.jwks, b'{"keys": {}}')
    elif row == "key too large":
        large = server.maker.public("rsa", n=base64url(b"\xff" * 2_049))
        server.maker.publish(server.maker.public("unpublished"), large)
    else:
        server.maker.publish(server.maker.public("unpublished"), weak_key(server.maker))
    until_s = time.monotonic() + 2.5  # both look at the file meanwhile
    while time.monotonic() < until_s:
        assert server.told(f"Bearer {kept}") == (OK, None)
        assert server.told(f"Bearer {new}")[0] is NOT_VALID
