"""How many windows a second the Python feature service answers, and how close that is to what gRPC itself can move.

Ratios of one run on one machine: windows of 300 events, as the original demo's client sends; the server in a process of
its own, the callers in this one. The ceiling moves requests and answers of the same sizes and does nothing with them.

    python -m benchmarks.feature_service
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

import grpc
import numpy as np

from dataflows.services.sent_columns import SentColumns
from grpc_services.python.stubs import mlpipeline_pb2 as original
from grpc_services.python.stubs import mlpipeline_pb2_grpc as original_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from runtime.python_process import python_environment
from window_core import DEMO_SENSORS, DeviceWindow, Evaluation, Event, WindowSpec

__all__ = ["batch_request", "calls_rate", "main", "measured", "original_request"]

EVENTS = 300
WINDOWS = 256
CALLERS = 8
DEVICES = 32  # of which a batch holds 8 windows each, as one does in a backlog
IN_FLIGHT = 4  # requests on a stream at a time: one is made, one is sent, one is answered, one is read

HELD: Final = (EVENTS, 3_000, 36_000)
STREAM_WINDOWS: Final = 1_000
STREAM_EVENTS: Final = 3_000_000
STREAM_MESSAGES: Final = 750
"""New columns have room for a quarter more events, so in so many messages a window of 3,000 events or more moves to new
columns once. What that costs is in the figures; the first such round, in which the server gets its memory, is not."""

COLUMN_BYTES: Final = 1 << 30
PERIOD_MS: Final = 120_000
START_MS: Final = 1_587_920_555_000

_MODULE = "benchmarks.feature_service"
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Stream(NamedTuple):
    """What the pipeline sends on a stream while its windows are full: one new event for each window.

    Attributes:
        requests: in their order.
        filling: how many of them come before the windows are full and have moved to new columns once.
    """

    requests: list[bytes]
    filling: int


def main(seconds: float = 3.0) -> dict[str, float]:
    """Measure each way for so many seconds, and print a table. Returns windows/s by name."""
    streams = {held: stream_of(held, STREAM_MESSAGES) for held in HELD}
    rates = measured(seconds, streams)
    unary = rates["original, unary"]
    print(
        f"windows of {EVENTS} events, batches of {WINDOWS}, all of other devices or of {DEVICES}, {seconds:g} s each;"
    )
    print(f"on streams one new event a window, {STREAM_WINDOWS:,} windows a message, {STREAM_EVENTS:,} events held")
    for name, rate in rates.items():
        print(f"  {name:<32}{rate:>10,.0f} windows/s{rate / unary:>8.1f} x the original unary call")
    for held, stream in streams.items():
        new = stream.requests[stream.filling :]
        asked = sum(map(len, new)) / (STREAM_WINDOWS * STREAM_MESSAGES)
        print(f"  {held:>6,} events held: {asked:>6.0f} bytes a window in requests for features, amortised")
    return rates


def measured(seconds: float, streams: dict[int, Stream]) -> dict[str, float]:
    """Windows/s of each way to ask, and of the empty exchange of the same size."""
    with _server("features") as address, grpc.insecure_channel(address, _OPTIONS) as channel:
        one = original_request()
        many = batch_request()
        answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(many)
        assert not answer.error
        rates = {
            "original, unary": calls_rate(
                original_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures, one, seconds
            ),
            "batch unary": calls_rate(batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures, many, seconds, 2)
            * WINDOWS,
            f"batch unary, {DEVICES} devices": calls_rate(
                batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures, batch_request(devices=DEVICES), seconds, 2
            )
            * WINDOWS,
        }
        call = channel.stream_stream("/latecomer.v1.FeatureService/StreamFeatures", None, None)
        for held, stream in streams.items():
            rates[f"stream, {held:,} events held"] = _stream_rate(call, *stream) * STREAM_WINDOWS
    size = len(answer.SerializeToString())
    stream = streams[EVENTS]
    with _server(f"ceiling {size}") as address, grpc.insecure_channel(address, _OPTIONS) as channel:
        data = many.SerializeToString()
        rates["ceiling of batch unary"] = (
            calls_rate(channel.unary_unary("/ceiling/unary", None, None), data, seconds, 2) * WINDOWS
        )
        rates["ceiling of the stream"] = (
            _stream_rate(channel.stream_stream("/ceiling/stream", None, None), *stream) * STREAM_WINDOWS
        )
    return rates


def original_request() -> original.RawEventList:
    """A window in the form of the original demo: a message for each event."""
    readings = np.random.default_rng(1).random((EVENTS, 4), np.float32).tolist()
    request = original.RawEventList(device_id="device_123")
    for index, (sensor1, sensor2, sensor3, sensor4) in enumerate(readings):
        request.event.add(
            device_id="device_123",
            time=1_587_920_555_000 + 120_000 * index,
            sensor1=sensor1,
            sensor2=sensor2,
            sensor3=sensor3,
            sensor4=sensor4,
        )
    return request


def batch_request(windows: int = WINDOWS, events: int = EVENTS, devices: int = WINDOWS) -> batch_pb2.WindowBatch:
    """Windows of some devices, each with a column of its own; those of one device follow each other by an event."""
    numbers = np.arange(windows)
    rows = events + windows // devices - 1  # of a device
    columns = np.arange(devices, dtype="<u4").tobytes()
    rooms = np.full(devices, rows, "<u4").tobytes()
    starts = numbers // devices
    readings = np.random.default_rng(1).random((devices * rows, 4), np.float32)
    return batch_pb2.WindowBatch(
        sensor=DEMO_SENSORS.declared,
        device_id=[f"device_{device}" for device in range(devices)],
        number=columns,
        room=rooms,
        appended_number=columns,
        appended_count=rooms,
        times=np.tile(1_587_920_555_000 + 120_000 * np.arange(rows, dtype="<i8"), devices).tobytes(),
        readings=readings.tobytes(),
        window_number=(numbers % devices).astype("<u4").tobytes(),
        starts=starts.astype("<u4").tobytes(),
        ends=(starts + events).astype("<u4").tobytes(),
    )


def calls_rate(call: Callable[[Any], Any], request: Any, seconds: float, callers: int = CALLERS) -> float:
    """Calls a second by so many callers, each of which waits for its answer before it asks again."""
    call(request)
    until_s = time.monotonic() + seconds

    def ask(_: int) -> int:
        calls = 0
        while time.monotonic() < until_s:
            call(request)
            calls += 1
        return calls

    start_s = time.monotonic()
    with ThreadPoolExecutor(callers) as pool:
        calls = sum(pool.map(ask, range(callers)))
    return calls / (time.monotonic() - start_s)


def _stream_rate(call: Callable[..., Iterable[bytes]], requests: Sequence[bytes], held: int = 0) -> float:
    """Requests a second on one stream, behind the first ones, which only fill the columns."""
    free = threading.Semaphore(IN_FLIGHT)

    def sent() -> Iterator[bytes]:
        for request in requests:
            free.acquire()
            yield request

    start_s = time.monotonic()
    for number, _ in enumerate(call(sent())):
        if number == held:
            start_s = time.monotonic()
        free.release()
    return (len(requests) - held - 1) / (time.monotonic() - start_s)


def stream_of(held: int, messages: int) -> Stream:
    """Twice so many messages of 1,000 windows, of as many devices as hold three million events, by our own client."""
    devices = min(STREAM_WINDOWS, STREAM_EVENTS // held)
    each = STREAM_WINDOWS // devices
    spec = WindowSpec(interval_ms=PERIOD_MS * held - 1, tick_ms=0)
    windows = [DeviceWindow(spec, f"device-{device:04d}") for device in range(devices)]
    sent = SentColumns(DEMO_SENSORS, COLUMN_BYTES, STREAM_WINDOWS, 3_500_000)
    random = np.random.default_rng(1)
    requests: list[bytes] = []

    def send(first: int, last: int, *, asks: bool) -> None:
        rows = random.normal(20, 3, (len(windows), last - first, 4)).astype("<f4")
        evaluations: list[Evaluation] = []
        for device, window in enumerate(windows):
            for number in range(first, last):
                time_ms = START_MS + PERIOD_MS * number
                event = Event(window.device_id, time_ms, rows[device, number - first].tobytes())
                [evaluation] = window.on_event(event, time_ms)
                if asks or number == last - 1:
                    evaluations.append(cast(Evaluation, evaluation))
        start = 0
        while start < len(evaluations):
            request = sent.request(evaluations, start)
            requests.append(request.message)
            start = request.end

    send(0, held, asks=False)
    for message in range(2 * messages):
        if message == messages:
            filling = len(requests)
        send(held + message * each, held + (message + 1) * each, asks=True)
    return Stream(requests, filling)


@contextmanager
def _server(what: str) -> Iterator[str]:
    """A server in a process of its own, and its address; it ends with its standard input."""
    command = [sys.executable, "-m", _MODULE, *what.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=python_environment()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server of the benchmark did not start: {' '.join(command)}")
        yield line.split()[-1]
        process.stdin.close()


def _serve_ceiling(answer_bytes: int) -> None:
    """Answer each request with so many bytes, until standard input ends."""
    answer = bytes(answer_bytes)
    handlers = {
        "unary": grpc.unary_unary_rpc_method_handler(lambda request, context: answer),  # noqa: ARG005 - gRPC's signature
        "stream": grpc.stream_stream_rpc_method_handler(lambda requests, context: (answer for _ in requests)),  # noqa: ARG005
    }
    server = grpc.server(ThreadPoolExecutor(CALLERS), options=_OPTIONS)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("ceiling", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"ceiling: listening on 127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    if sys.argv[1:2] == ["ceiling"]:
        _serve_ceiling(int(sys.argv[2]))
    elif sys.argv[1:2] == ["features"]:
        from grpc_services.python.serve import serve
        from grpc_services.python.settings import ServerSettings

        more = {"column_bytes": COLUMN_BYTES, "stream_column_bytes": COLUMN_BYTES}
        sys.exit(serve(ServerSettings.of("features", port=0, stop_at_end_of_input=True, **more)))
    else:
        main(*map(float, sys.argv[1:2]))
