"""Real servers on free ports, in this process, one of each kind for all tests that do not stop theirs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import grpc
import pytest

from grpc_services.python.server import RunningServer, start
from grpc_services.python.settings import ServerSettings
from tests.grpc_services.python.guarded import Guarded

_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="session")
def features_channel() -> Iterator[grpc.Channel]:
    server = start(ServerSettings.of("features", port=0))
    with grpc.insecure_channel(server.address, _OPTIONS) as channel:
        yield channel
    server.stop()


@pytest.fixture(scope="session")
def inference_channel() -> Iterator[grpc.Channel]:
    server = start(ServerSettings.of("inference", port=0))
    with grpc.insecure_channel(server.address, _OPTIONS) as channel:
        yield channel
    server.stop()


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[RunningServer, grpc.Channel]]]:
    """Starts a server with these settings, and a channel to it; both end with the test."""
    with ExitStack() as ends:

        def start_one(service: str, **settings: Any) -> tuple[RunningServer, grpc.Channel]:
            server = start(ServerSettings.of(service, port=0, **settings))
            ends.callback(server.stop, 0.0)
            return server, ends.enter_context(grpc.insecure_channel(server.address, _OPTIONS))

        yield start_one


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], str]:
    """Makes an object loadable, and gives its ``module:name``."""

    def named(value: object) -> str:
        module = ModuleType("plugin_of_a_test")
        module.PLUGIN = value
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return f"{module.__name__}:PLUGIN"

    return named


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A feature server with TLS and the token check."""
    one = Guarded(tmp_path_factory.mktemp("guarded"))
    yield one
    one.channel.close()
    one.server.stop(0.0)
