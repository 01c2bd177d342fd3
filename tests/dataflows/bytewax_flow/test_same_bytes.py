"""The shipped flow writes, for each device, the bytes of the core in a plain loop, however it is driven."""

from itertools import chain

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.dataflows.logs import ANY_SENSORS, DrawnLog, drawn_logs
from tests.dataflows.pipelines import Pipelines
from tests.reference import Outputs, first_difference, oracle_difference, reference

_SHARED = settings(suppress_health_check=[*HealthCheck])

CALLS = (
    {"rpc": "batch", "batch_windows": 3, "in_flight": 2},
    {"rpc": "stream", "batch_windows": 2},
    {"rpc": "batch", "batch_windows": 256},
    {"rpc": "stream", "batch_windows": 256},
)


@given(drawn_logs(sensors=ANY_SENSORS))
@settings(max_examples=300)
def test_the_loop_gives_what_the_oracle_finds(log: DrawnLog) -> None:
    assert oracle_difference(log.data, log.spec, log.until_ms, log.sensors) is None


@given(drawn_logs(sensors=ANY_SENSORS), st.sampled_from(CALLS), st.sampled_from((60, 400, 262_144)))
@_SHARED
def test_the_flow_writes_the_bytes_of_the_loop(
    pipelines: Pipelines, log: DrawnLog, calls: dict[str, object], chunk_bytes: int
) -> None:
    expected = reference(log.data, log.spec, log.until_ms, log.sensors)
    for cause_or_reason in kinds(expected):
        event(cause_or_reason)
    actual = pipelines.run(log.data, log.spec, log.until_ms, sensors=log.sensors, chunk_bytes=chunk_bytes, **calls)
    assert first_difference(expected, actual) == ""


@given(drawn_logs(lines=25))
@settings(_SHARED, max_examples=15)
def test_unary_calls_write_the_same_bytes(pipelines: Pipelines, log: DrawnLog) -> None:
    actual = pipelines.run(log.data, log.spec, log.until_ms, rpc="unary")
    assert first_difference(reference(log.data, log.spec, log.until_ms), actual) == ""


@given(drawn_logs(goes_back=True), st.sampled_from((64, 999)))
@settings(_SHARED, max_examples=80)
def test_where_arrivals_go_back_the_flow_writes_the_bytes_of_the_loop(
    pipelines: Pipelines, log: DrawnLog, chunk_bytes: int
) -> None:
    actual = pipelines.run(log.data, log.spec, log.until_ms, chunk_bytes=chunk_bytes)
    assert first_difference(reference(log.data, log.spec, log.until_ms), actual) == ""


def kinds(outputs: Outputs) -> set[str]:
    return {kind.decode() for lines in outputs.values() for line in chain(*lines) for kind in _kind(line)}


def _kind(line: bytes) -> list[bytes]:
    found = [part for part in line.split(b'"')[:20] if part.isupper() or part in (b"event", b"late_event", b"tick")]
    return found[:1]
