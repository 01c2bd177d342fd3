"""What a simulation has to have written, recomputed from the whole log by the oracle, which holds no window."""

import json
from array import array
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from tests.oracle import Oracle, OracleEvaluation, OracleOutput
from tests.plain_model import plain_model
from tests.reference import DeviceOutputs, Outputs, answered, encoded_json, rejection_line
from tests.simulation.log import Log, Said, is_time, sensors_of
from window_core import Columns, Evaluation, Rejection, Sensors

__all__ = ["Whole", "each_once", "expected_outputs", "first_cut", "written_outputs"]


class Whole(NamedTuple):
    """A run that came to its end.

    Attributes:
        ends: how far it was to read in each partition.
        cut_ms: the instant that cut it; ``None``: none did.
        until_ms: the instant up to which its clock ran; ``None``: there was none.
    """

    ends: Sequence[int]
    cut_ms: int | None
    until_ms: int | None


class _Partition:
    """One partition, read naively."""

    def __init__(self, log: Log, number: int) -> None:
        self._log, self._number = log, number
        self.clock_ms: int | None = None
        self._next = 0
        self._oracles: dict[str, Oracle] = {}
        self.outputs: dict[str, list[tuple[OracleOutput, str | None]]] = defaultdict(list)
        self.invalid: list[bytes] = []

    def run(self, run: Whole) -> None:
        """Take what a run reads, and its last instant."""
        for offset, said in self._log.committed(self._number, self._next, run.ends[self._number]):
            arrival_ms = self.arrival_ms(said)
            if run.cut_ms is not None and arrival_ms is not None and arrival_ms > run.cut_ms:
                break
            self._next = offset + 1
            self._take(offset, said, arrival_ms)
        until_ms = run.until_ms if self._log.setup.reads_topic or run.until_ms is not None else self.clock_ms
        if until_ms is not None:
            for device_id, oracle in self._oracles.items():
                self.outputs[device_id] += [(tick, None) for tick in oracle.on_clock(until_ms)]

    def arrival_ms(self, said: Said) -> int | None:
        """The clock of the partition behind a record, which is its arrival."""
        stamp_ms = said.stamp_ms
        if stamp_ms is None:
            if said.event is None:
                return self.clock_ms
            stamp_ms = said.event.time_ms
        if not is_time(stamp_ms):
            return self.clock_ms
        return stamp_ms if self.clock_ms is None else max(stamp_ms, self.clock_ms)

    def _take(self, offset: int, said: Said, arrival_ms: int | None) -> None:
        self.clock_ms = arrival_ms
        position = f"{self._number}/{offset}"
        if said.error is not None:
            is_odd = said.stamp_ms is not None and not is_time(said.stamp_ms)
            self.invalid.append(_invalid_line(said, position, said.stamp_ms if is_odd else arrival_ms))
        elif said.event is not None:
            assert arrival_ms is not None
            device_id = said.event.device_id
            oracle = self._oracles.setdefault(device_id, Oracle(self._log.setup.spec, device_id))
            *ticks, output = oracle.on_event(said.event, arrival_ms)
            self.outputs[device_id] += [(tick, None) for tick in ticks] + [(output, position)]


def expected_outputs(log: Log, runs: Iterable[Whole]) -> Outputs:
    """The outputs of these runs, one after another."""
    runs = list(runs)
    sensors = sensors_of(log.setup)
    outputs: Outputs = {}
    invalid: list[bytes] = []
    for number in range(log.setup.partitions):
        partition = _Partition(log, number)
        for run in runs:
            partition.run(run)
        invalid += partition.invalid
        for device_id, located in partition.outputs.items():
            outputs[device_id] = _lines(located, device_id, sensors)
    outputs[None] = DeviceOutputs([], [], sorted(invalid))
    return outputs


def first_cut(log: Log, until_ms: int) -> list[int]:
    """How far a run reads each partition that an instant cuts: behind the last record that arrived up to it."""
    cuts = []
    for number, end in enumerate(log.ends()):
        partition = _Partition(log, number)
        behind = 0
        for offset, said in log.committed(number, 0, end):
            partition.clock_ms = partition.arrival_ms(said)
            if partition.clock_ms is not None and partition.clock_ms > until_ms:
                break
            behind = offset + 1
        else:
            behind = end
        cuts.append(behind)
    return cuts


def written_outputs(lines: Iterable[bytes], *, may_repeat: bool) -> Outputs:
    """What was written, device by device; where lines may be written twice, each once."""
    outputs: defaultdict[str | None, DeviceOutputs] = defaultdict(lambda: DeviceOutputs([], [], []))
    seen: set[bytes] = set()
    for line in lines:
        if may_repeat and line in seen:
            continue
        seen.add(line)
        said = json.loads(line)
        sequences = outputs[said["device_id"]]
        reason = said.get("reason")
        (
            sequences.predictions
            if reason is None
            else sequences.refused
            if reason == "REFUSED"
            else sequences.rejected
        ).append(line)
    outputs[None] = DeviceOutputs([], [], sorted(outputs[None].rejected))
    return dict(outputs)


def each_once(sequences: DeviceOutputs) -> DeviceOutputs:
    """The sequences without lines that stood there before."""
    return DeviceOutputs(*(list(dict.fromkeys(lines)) for lines in sequences))


def _lines(located: Iterable[tuple[OracleOutput, str | None]], device_id: str, sensors: Sensors) -> DeviceOutputs:
    lines = DeviceOutputs([], [], [])
    model = plain_model(sensors)
    for output, position in located:
        if isinstance(output, OracleEvaluation):
            is_refused, line = answered(_evaluation(output, device_id, sensors), position, model)
            (lines.refused if is_refused else lines.predictions).append(line)
        else:
            rejection = Rejection(output.reason, output.event, output.arrival_ms, output.late_by_ms)  # type: ignore[arg-type]
            lines.rejected.append(rejection_line(rejection, position, sensors))
    return lines


def _evaluation(output: OracleEvaluation, device_id: str, sensors: Sensors) -> Evaluation:
    """The oracle's evaluation in the form that the plain model takes."""
    *_, session, seq = output.evaluation_id.rsplit("/", 2)
    times = array("q", (int(row[0]) for row in output.window))
    rows = bytearray(b"".join(sensors.row([None if one != one else one for one in row[1:]]) for row in output.window))
    columns = Columns(device_id, int(session), times, rows, 4 * sensors.width)
    return Evaluation(output.cause, output.event_ms, output.as_of_ms, int(seq), columns, 0, len(times))  # type: ignore[arg-type]


def _invalid_line(said: Said, position: str, arrival_ms: int | None) -> bytes:
    assert said.error is not None
    error, field = said.error
    value = said.value
    return encoded_json(
        device_id=None, reason="INVALID", position=position, arrival_ms=arrival_ms, error=error, field=field,
        size=len(value), sha256=sha256(value).hexdigest(), raw=b64encode(value).decode(),
    )  # fmt: skip
