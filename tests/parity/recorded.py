"""A log that somebody recorded: through the plain loop and both engines, with their own features and model."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isnan
from typing import Final

from dataflows.connectors.file_log import FileLog, records_of
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import OutputRecord, Record
from tests.parity.comparison import compared, differences
from tests.parity.engines import BYTEWAX, FILE, FLINK, EngineError, EngineRun, LogFile, bytes_before, cuts_of
from tests.parity.expected import Expectation, expectation_of, oracle_difference
from tests.parity.jobs import Job
from tests.parity.logs import Combined, EventRecord, Heartbeat, Log, Placed
from tests.parity.suite import AT_ONCE, Finding, Outcome, Prepared, Reading
from tests.parity.surroundings import Surrounding
from tests.reference import Outputs, lines_of
from window_core import Sensors, WindowSpec

__all__ = ["run_recorded"]

RUNS: Final = (
    EngineRun(FLINK),
    EngineRun(FLINK, {"parallelism": 2, "batch_windows": 7}),
    EngineRun(BYTEWAX),
    EngineRun(BYTEWAX, restarts=2),
)

_ORACLE_RECORDS: Final = 400
"""Records of a device up to which the oracle is asked: it goes through all of them again for each."""


def run_recorded(
    data: bytes,
    spec: WindowSpec,
    sensors: Sensors,
    until_ms: int | None,
    surrounding: Surrounding,
    say: Callable[[str], None],
) -> Outcome:
    """Let a recorded log through every run.

    Args:
        data: lines of JSON.
        spec: the numbers of the windows.
        sensors: the readings of an event.
        until_ms: records with a later arrival are not read.
        surrounding: starts what is needed.
        say: takes a line about how far it is.
    """
    job = Job("recorded", spec, RUNS, sensors=sensors)
    around = surrounding.of(job)
    placed = _placed(data, sensors)
    expectation = expectation_of(placed, spec, sensors, until_ms, around.asked)
    file = LogFile(data, spec, sensors, until_ms, bytes_before(placed, cuts_of(placed)))
    devices = {device: number for number, device in enumerate(expectation.devices)}
    logs = [_log_of(placed, device) for device in devices]
    whole = Combined(tuple(entry.source for entry in placed), ())
    of_job = Prepared(job, logs, whole, {FILE: Reading(file, placed, (), expectation)})
    outcome = Outcome(logs=1, records=len(placed), jobs=1, occurred=expectation.occurred)
    _ask_the_oracle(outcome, of_job, expectation)

    def judge(run: EngineRun) -> tuple[Outputs, Finding | None]:
        try:
            outputs = run.outputs(file, around.services, None)
        except EngineError as error:
            return {}, Finding(of_job, run, None, str(error), ())
        found = list(differences(expectation.outputs, outputs))
        suspects = tuple(devices[one.device_id] for one in found if one.device_id in devices)
        return outputs, Finding(of_job, run, found[0], "", suspects) if found else None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for run, (outputs, finding) in zip(RUNS, pool.map(judge, RUNS), strict=True):
            if finding is None:
                outcome.count(run.name, compared(outputs))
            else:
                outcome.findings.append(finding)
            say(f"{run.name} {dict(run.settings) or ''}: {'equal' if finding is None else 'DIFFERENT'}")
    return outcome


def _placed(data: bytes, sensors: Sensors) -> list[Placed]:
    """The records of a file, as the shipped reader reads it."""
    reader = FileLog("-", Metrics(), layout=EventLayout(sensors)).reader()
    placed = []
    for record in records_of(lines_of(data)):
        found = reader.read(record)
        if isinstance(found, OutputRecord):
            rejection = json.loads(found.value)
            error = " ".join(filter(None, (rejection["error"], rejection["field"])))
            placed.append(_unread(record, reader, error))
        elif found is None:
            placed.append(_unread(record, reader, None))
        else:
            event, arrival_ms = found.event, found.arrival_ms
            values = sensors.readings(event.row)
            readings = tuple("null" if isnan(value) else repr(value) for value in values)
            source = EventRecord(event.device_id, event.time_ms, readings, arrival_ms)
            placed.append(Placed(record.position, arrival_ms, arrival_ms, event, None, record.value or b"", source))
    return placed


def _unread(record: Record, reader: PartitionReader, error: str | None) -> Placed:
    """A line that holds no event."""
    source = Heartbeat(reader.clock_ms or 0)
    return Placed(record.position, reader.clock_ms, reader.clock_ms, None, error, record.value or b"", source)


def _log_of(placed: list[Placed], device_id: str | None) -> Log:
    """The records of one device as a log, to make it smaller."""
    return tuple(entry.source for entry in placed if entry.event is not None and entry.event.device_id == device_id)


def _ask_the_oracle(outcome: Outcome, job: Prepared, expectation: Expectation) -> None:
    """Compare the loop with the oracle for the devices with few records."""
    few = {device: records for device, records in expectation.devices.items() if len(records) <= _ORACLE_RECORDS}
    difference = oracle_difference(replace(expectation, devices=few), job.job.spec)
    if difference:
        outcome.findings.append(Finding(job, None, None, difference, ()))
    else:
        outcome.count(
            "plain loop, against the oracle", compared({device: expectation.outputs[device] for device in few})
        )
