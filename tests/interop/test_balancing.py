"""Which address takes the next call, and how many attempts a service that is overloaded gets."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import grpc
import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Prediction
from dataflows.services.asked_windows import demo_window
from dataflows.services.client import ServiceClient, Services
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.server import RunningServer, start
from grpc_services.python.settings import ServerSettings

SEED_FEATURES = "/mlpipeline.FeatureEngineeringService/engineerFeatures"


class Counting(grpc.ServerInterceptor):
    """Counts the calls that reach a server."""

    def __init__(self) -> None:
        self.calls = 0

    def intercept_service(self, continuation, details):
        if not details.method.startswith("/grpc.health"):
            self.calls += 1
        return continuation(details)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tuple[RunningServer, Counting]]]:
    """Starts a server that counts its calls."""
    with ExitStack() as ends:
        make = grpc.server

        def start_one(service: str) -> tuple[RunningServer, Counting]:
            counting = Counting()
            monkeypatch.setattr(
                grpc,
                "server",
                lambda *pool, interceptors, **more: make(*pool, interceptors=[counting, *interceptors], **more),
            )
            server = start(ServerSettings.of(service, port=0))
            ends.callback(server.stop, 0.0)
            return server, counting

        yield start_one


def client_of(features: str, inference: str, **settings) -> ServiceClient:
    given = RunSettings.of(features=features, inference=inference, **{"rpc": "unary", "pause_ms": 1} | settings)
    return ServiceClient(Services(features, inference), given, Metrics())


def test_addresses_take_turns_and_a_name_is_as_good_as_an_address(started):
    (one, calls_of_one), (two, calls_of_two), (inference, _) = map(started, ("features", "features", "inference"))
    addresses = f"localhost:{one.port},127.0.0.1:{two.port}"
    with closing(client_of(addresses, inference.address)) as client:
        assert all(isinstance(answer, Prediction) for answer in client.answers([demo_window()] * 40))
    assert abs(calls_of_one.calls - calls_of_two.calls) <= 1
    assert calls_of_one.calls + calls_of_two.calls == 40


def test_a_server_that_is_about_to_stop_gets_no_calls_while_it_still_takes_them(started):
    (one, calls_of_one), (two, _), (inference, _) = map(started, ("features", "features", "inference"))
    with closing(client_of(f"{one.address},{two.address}", inference.address)) as client:
        client.answers([demo_window()] * 10)
        one.stop_being_healthy()
        settled = calls_of_one.calls
        client.answers([demo_window()] * 40)
        # What it said may cross with calls under way; one call at a time finds out whether it is well again.
        assert calls_of_one.calls - settled <= 8
    with grpc.insecure_channel(one.address) as channel:
        assert channel.unary_unary(SEED_FEATURES)(b"\x12\x02\x10\x01") is not None


def test_when_all_servers_have_too_much_to_do_attempts_do_not_multiply():
    """Each server refuses each call: no more than the attempts of a call, and the pauses, are spent on it."""

    class Refusing(grpc.GenericRpcHandler):
        calls = 0

        def service(self, details):
            if details.method.startswith("/grpc.health"):
                return None
            Refusing.calls += 1
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: context.abort(grpc.StatusCode.UNAVAILABLE, "too much to do")
            )

    with ExitStack() as ends:
        ports = []
        for _ in range(3):
            server = grpc.server(ThreadPoolExecutor(4), [Refusing()])
            ports.append(server.add_insecure_port("127.0.0.1:0"))
            server.start()
            ends.callback(server.stop, 0.0)
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        with closing(client_of(addresses, addresses, attempts=2)) as client:
            for number in range(1, 11):
                with pytest.raises(
                    ServiceError, match=r" failed 4 attempts of up to 10s: UNAVAILABLE: too much to do$"
                ):
                    client.answers([demo_window()])
                assert Refusing.calls <= 4 * number
