"""The core, and the oracle beside it, against every transcript, step by step."""

from collections.abc import Callable, Mapping

import pytest

from tests.oracle import Oracle, plain
from tests.transcript import LogRecord, Seen, Transcript, differences, load_transcripts, seen
from window_core import DeviceWindow, Event, WindowSpec

TRANSCRIPTS = load_transcripts()

# A log has one spec, and where arrivals go back the placing of ticks depends on who drives the clock.
LOGS = [each for each in TRANSCRIPTS if not each.spec_changes and not each.arrivals_go_back]


class CoreDevice:
    """The core, driven like the oracle."""

    def __init__(self, spec: WindowSpec, device_id: str) -> None:
        self.window = DeviceWindow(spec, device_id)

    def on_event(self, event: Event, arrival_ms: int):
        return self._checked(self.window.on_event(event, arrival_ms))

    def on_clock(self, now_ms: int):
        return self._checked(self.window.on_clock(now_ms))

    def on_restore(self, spec: WindowSpec) -> None:
        self.window = DeviceWindow.restore(spec, self.window.snapshot())
        self.window.check()

    def _checked(self, outputs):
        self.window.check()
        return [plain(output) for output in outputs]


def seen_at_clock(devices: Mapping[str, object], clock_ms: int) -> list[Seen]:
    """Ticks of all devices in the order of time; a transcript may name them in that order."""
    outputs = [seen(output, name) for name, device in devices.items() for output in device.on_clock(clock_ms)]
    return sorted(outputs, key=lambda output: output.as_of_ms)


def replayed(transcript: Transcript, engine: Callable) -> list[tuple[str, tuple, list[Seen]]]:
    """For each step where it stands, what it expects and what came out."""
    spec, devices, steps = transcript.spec, {}, []
    for number, step in enumerate(transcript.steps):
        outputs: list[Seen] = []
        if step.event is not None:
            name = step.event.device_id
            device = devices.setdefault(name, engine(spec, name))
            outputs = [seen(output, name) for output in device.on_event(step.event, step.arrival_ms)]
        elif step.clock_ms is not None:
            outputs = seen_at_clock(devices, step.clock_ms)
        else:
            spec = step.restore_spec
            for device in devices.values():
                device.on_restore(spec)
        steps.append((f"step {number}", step.expected, outputs))
    return [*steps, ("at the end", transcript.at_end, seen_at_clock(devices, transcript.until_ms))]


@pytest.mark.parametrize("engine", [CoreDevice, Oracle])
@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)
def test_every_step_gives_what_the_transcript_says(transcript: Transcript, engine: Callable) -> None:
    wrong = []
    for place, expected, outputs in replayed(transcript, engine):
        if [output.kind for output in expected] != [output.kind for output in outputs]:
            wrong.append(
                f"{place}: {[(o.kind, o.number) for o in outputs]}, not {[(o.kind, o.number) for o in expected]}"
            )
        wrong += [f"{place}: {line}" for line in differences(expected, outputs)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("transcript", LOGS, ids=lambda transcript: transcript.name)
def test_a_plain_loop_over_the_log_gives_the_same_sequences(transcript: Transcript) -> None:
    windows: dict[str, DeviceWindow] = {}
    outputs = []
    for record in transcript.log():
        if record.event is None or record.arrival_ms > transcript.until_ms:
            continue
        name = record.event.device_id
        window = windows.setdefault(name, DeviceWindow(transcript.spec, name))
        outputs += [seen(plain(output), name) for output in window.on_event(record.event, record.arrival_ms)]
    for name, window in windows.items():
        outputs += [seen(plain(output), name) for output in window.on_clock(transcript.until_ms)]
    assert differences(transcript.expected(), outputs) == []


def test_every_rule_has_a_transcript() -> None:
    assert {rule for transcript in TRANSCRIPTS for rule in transcript.rules} == set(range(1, 11))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)
def test_arrivals_go_back_only_where_the_file_says_so(transcript: Transcript) -> None:
    arrivals = [record.arrival_ms for record in transcript.log()]
    assert (arrivals != sorted(arrivals)) == transcript.arrivals_go_back


A_TICK = Seen("a", "tick", 2, 25_907, "a/20000/1", ((1, -0.0, 1.0, 1.0, 1.0),))


@pytest.mark.parametrize(
    ("expected", "actual", "message"),
    [
        ([], [A_TICK], "nobody expected"),
        ([A_TICK], [], "missing"),
        ([Seen("a", "event", 2)], [A_TICK], "kind is tick, not event"),
        ([Seen("a", "tick", 3)], [A_TICK], "number is 2, not 3"),
        ([Seen("a", "tick", 2, 1)], [A_TICK], "as_of_ms is 25907, not 1"),
        ([Seen("a", "tick", 2, window=((1, 0.0, 1.0, 1.0, 1.0),))], [A_TICK], "window is"),
        ([Seen("b", "tick", 2)], [A_TICK], "device 'b': missing"),
        ([Seen("a", "tick", 2)], [A_TICK], ""),
        ([A_TICK], [Seen("a", "tick", 2)], ""),
    ],
)
def test_each_difference_is_named(expected: list[Seen], actual: list[Seen], message: str) -> None:
    lines = differences(expected, actual)
    assert message in "\n".join(lines)
    assert bool(lines) == bool(message)


def test_a_clock_step_is_a_heartbeat_behind_it() -> None:
    [transcript] = [each for each in TRANSCRIPTS if each.name == "the_clock_fires_a_tick_at_its_very_instant"]
    assert transcript.log()[1] == LogRecord(None, 25_907)
