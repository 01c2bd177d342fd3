"""Callers who want to stop a server: what they may hold, and that good calls are answered meanwhile, all of them."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpc_services.python.stubs import mlpipeline_pb2_grpc
from tests.authority import Authority, Issuer
from tests.grpc_services.python.messages import event_list, gzip_bomb, on_stream, window_batch
from tests.grpc_services.python.raw_http2 import RawCaller, grpc_message

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from grpc_services.python.serve import serve
from grpc_services.python.settings import ServerSettings
sys.exit(serve(ServerSettings.of("features", port=0, **{settings!r})))
"""
ONE_EVENT = [(1, 1.0, 1.0, 1.0, 1.0)]
UNARY = "/mlpipeline.FeatureEngineeringService/engineerFeatures"
BATCH = "/latecomer.v1.FeatureService/EngineerFeatures"
STREAM = "/latecomer.v1.FeatureService/StreamFeatures"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
LIMIT_S = 60
GOOD_CALLS = 20
THREADS_OF_NOBODY = 60
"""gRPC's own, the machine's number of processors times some, and those for health and for refusals."""


class Target:
    """A feature server in a process of its own."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._issuer: Issuer | None = None
        self.ca: str | None = None
        if settings.pop("tokens", False):
            authority, self._issuer = Authority(folder), Issuer(folder)
            pair = authority.issue("server")
            self.ca = authority.path
            settings |= {"tls_cert": pair.cert, "tls_key": pair.key, "jwks": self._issuer.jwks}
            settings |= {"issuer": Issuer.NAME, "audience": Issuer.AUDIENCE}
        command = [sys.executable, "-c", PROGRAM.format(settings=settings)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.answers_good_calls()
        self._megabytes = self._status("VmHWM") // 1024

    def caller(self, initial_window: int | None = None) -> RawCaller:
        return RawCaller(self.port, self.ca, initial_window)

    def channel(self) -> grpc.Channel:
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self.ca is None:
            return grpc.insecure_channel(f"127.0.0.1:{self.port}", options)
        credentials = grpc.ssl_channel_credentials(Path(self.ca).read_bytes())
        return grpc.secure_channel(f"localhost:{self.port}", credentials, options)

    def answers_good_calls(self) -> bool:
        """Whether all good calls are answered, and all who ask for health; one that is not raises."""
        metadata = [("authorization", f"Bearer {self._issuer.token()}")] if self._issuer else []
        with self.channel() as channel:
            features, health = (
                mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel),
                health_pb2_grpc.HealthStub(channel),
            )
            for _ in range(GOOD_CALLS):
                features.engineerFeatures(event_list(ONE_EVENT), metadata=metadata, timeout=LIMIT_S)
                status = health.Check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S).status
                assert status == health_pb2.HealthCheckResponse.SERVING
        return True

    def more_megabytes(self) -> int:
        """How much more memory it held at a time since it was ready, as the kernel counted."""
        return self._status("VmHWM") // 1024 - self._megabytes

    def threads(self) -> int:
        return self._status("Threads")

    def _status(self, name: str) -> int:
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text()
        except FileNotFoundError:
            pytest.skip("needs /proc, as on Linux")
        [line] = [line for line in text.splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1])

    def end(self) -> None:
        assert self.process.poll() is None, "it ended by itself"
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def target(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Target]:
    one = Target(tmp_path, **getattr(request, "param", {}))
    yield one
    one.end()


@pytest.mark.parametrize("target", [{}, {"tokens": True}], indirect=True, ids=["plain", "with a token check"])
@pytest.mark.parametrize("method", [UNARY, STREAM, CHECK, WATCH])
def test_calls_whose_messages_never_come_keep_nobody_out(target: Target, method: str) -> None:
    with ExitStack() as ends:
        for _ in range(3):
            caller = ends.enter_context(target.caller())
            for _ in range(100):
                caller.call(method)
        assert target.answers_good_calls()
        if target.ca is not None:
            assert target.threads() < THREADS_OF_NOBODY
        assert target.more_megabytes() < 100


@pytest.mark.parametrize("initial_window", [None, 0], ids=["asks no more", "reads no answer"])
def test_streams_that_are_left_open_keep_nobody_out(target: Target, initial_window: int | None) -> None:
    request = grpc_message(window_batch([ONE_EVENT]).SerializeToString())
    with ExitStack() as ends:
        for _ in range(3):
            caller = ends.enter_context(target.caller(initial_window))
            for _ in range(100):
                caller.call(STREAM, request)
        assert target.answers_good_calls()


@pytest.mark.parametrize("target", [{"message_timeout_ms": 100}], indirect=True)
@pytest.mark.parametrize("method", [UNARY, STREAM])
def test_a_call_whose_message_does_not_come_in_time_is_ended(target: Target, method: str) -> None:
    with target.channel() as channel:
        silent = channel.stream_stream(method)(iter(SimpleQueue[bytes]().get, None))
        assert silent.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert silent.details() == "no request came within 0.1 s"


@pytest.mark.parametrize("target", [{"message_timeout_ms": 100}], indirect=True)
def test_a_stream_may_be_silent_between_its_requests(target: Target) -> None:
    with target.channel() as channel:
        requests: SimpleQueue[bytes | None] = SimpleQueue()
        answers = channel.stream_stream(STREAM)(iter(requests.get, None))
        late = channel.stream_stream(UNARY)(iter(SimpleQueue[bytes]().get, None))
        for request in on_stream([window_batch([ONE_EVENT])] * 2):
            requests.put(request.SerializeToString())
            assert next(answers)
            assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # so much time has passed
        requests.put(None)
        assert list(answers) == []


@pytest.mark.parametrize("target", [{"tokens": True}], indirect=True)
def test_messages_of_strangers_are_not_received(target: Target) -> None:
    message = bytes(31 << 20)

    def send() -> None:
        with target.channel() as channel, pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(UNARY)(message, timeout=LIMIT_S)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    threads = [Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    assert target.answers_good_calls()
    for thread in threads:
        thread.join()
    assert target.more_megabytes() < 150


@pytest.mark.parametrize("target", [{}, {"compression": "gzip"}], indirect=True, ids=["refused", "bounded"])
def test_a_packed_request_takes_no_more_memory_than_one_that_is_not(target: Target) -> None:
    with target.caller() as caller:
        caller.call(UNARY, grpc_message(gzip_bomb(400), packed=True), end=True, grpc_encoding="gzip")
        assert caller.ended(1) == 1
    assert target.more_megabytes() < 100
    assert target.answers_good_calls()


@pytest.mark.parametrize(("method", "field"), [(UNARY, b"\x12\0"), (BATCH, b"\x0a\0"), (BATCH, b"\x12\0")])
def test_elements_of_two_bytes_are_counted_before_they_become_objects(
    target: Target, method: str, field: bytes
) -> None:
    with target.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(method)(field * (4 << 20), timeout=LIMIT_S)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.details() == "request: more than 262144 fields"
    assert target.more_megabytes() < 100
    assert target.answers_good_calls()


def test_watchers_and_calls_beyond_the_limits_of_a_connection_take_nothing(target: Target) -> None:
    with target.caller() as caller:
        ending = Thread(target=caller.ended, args=(5_000,))
        ending.start()
        try:
            for _ in range(5_000):
                caller.call(WATCH, grpc_message(b""), end=True)
        except OSError:  # so many at a time that the server ended the connection
            pass
        assert target.answers_good_calls()
        assert target.more_megabytes() < 100
        caller.socket.shutdown(socket.SHUT_RDWR)
        ending.join(LIMIT_S)


FLOODS: dict[str, Callable[[RawCaller], object]] = {
    "settings": lambda caller: caller.settings(500),
    "pings": lambda caller: caller.pings(500),
    "calls that are reset": lambda caller: caller.calls_and_resets(UNARY, 100),
    "streams that are reset": lambda caller: caller.calls_and_resets(STREAM, 100),
    "large metadata": lambda caller: caller.call(UNARY, end=True, x=15_000 * "x"),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_keeps_nobody_out(target: Target, flood: str) -> None:
    """As fast as it can be sent; what the server says is read, so that nothing holds it back."""
    ended = Flag()

    def send(caller: RawCaller) -> None:
        with suppress(OSError):
            while not ended.is_set():
                FLOODS[flood](caller)

    def read(caller: RawCaller) -> None:
        with suppress(OSError):
            for _ in caller.frames():
                pass

    with target.caller() as caller:
        threads = [Thread(target=part, args=(caller,)) for part in (send, read)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            assert target.answers_good_calls()
        ended.set()
        caller.socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(LIMIT_S)
    assert target.answers_good_calls()
    assert target.more_megabytes() < 200


@pytest.mark.parametrize("target", [{"tokens": True}], indirect=True)
@pytest.mark.parametrize("begun", [b"", bytes.fromhex("1603010200010001fc0303")], ids=["silent", "half a hello"])
def test_handshakes_that_are_never_finished_keep_nobody_out(target: Target, begun: bytes) -> None:
    with ExitStack() as ends:
        for _ in range(500):
            ends.enter_context(socket.create_connection(("127.0.0.1", target.port))).sendall(begun)
        assert target.answers_good_calls()
        assert target.threads() < THREADS_OF_NOBODY
        assert target.more_megabytes() < 100


def test_streams_that_were_given_up_count_no_more(target: Target) -> None:
    """Also before garbage is collected: else a client that gives up some would be refused as one that has too many."""
    with target.channel() as channel:
        for _ in range(200):
            requests: SimpleQueue[bytes | None] = SimpleQueue()
            answers = channel.stream_stream(STREAM)(iter(requests.get, None))
            requests.put(window_batch([ONE_EVENT]).SerializeToString())
            assert next(answers)
            answers.cancel()
            requests.put(None)
