"""The transcripts of ``tests/transcripts`` as jobs of the suite: those of one spec are the logs of one job."""

from collections import defaultdict
from math import isnan
from typing import Final

from tests.parity.engines import BYTEWAX, FLINK, KAFKA, EngineRun
from tests.parity.jobs import Job
from tests.parity.logs import EventRecord, Heartbeat, Log
from tests.transcript import Transcript, load_transcripts
from window_core import Sensors, WindowSpec

__all__ = ["log_of", "transcript_jobs"]

_WORTH_A_JVM: Final = 2
"""Transcripts that a job on Flink needs to have; a spec of its own starts one of Bytewax, in a tenth of the time."""


def transcript_jobs() -> list[Job]:
    """A job for each spec and its sensors, on topics, because a file has no heartbeats.

    Left out are transcripts whose spec changes, and those whose arrivals go back: a log has one spec, and who drives
    the clock decides about ticks then. A plain storing and taking up is left out of the others.
    """
    alike: defaultdict[tuple[WindowSpec, Sensors], list[Transcript]] = defaultdict(list)
    for transcript in load_transcripts():
        if not transcript.spec_changes and not transcript.arrivals_go_back:
            alike[transcript.spec, transcript.sensors].append(transcript)
    jobs = []
    for (spec, sensors), transcripts in alike.items():
        runs = [EngineRun(BYTEWAX, medium=KAFKA)]
        if len(transcripts) >= _WORTH_A_JVM:
            runs.append(EngineRun(FLINK, medium=KAFKA))
        names = ", ".join(transcript.name for transcript in transcripts)
        logs = tuple(log_of(transcript) for transcript in transcripts)
        jobs.append(Job(f"transcripts: {names}", spec, tuple(runs), sensors=sensors, logs=logs))
    return jobs


def log_of(transcript: Transcript) -> Log:
    """The records of a transcript."""
    records: list[EventRecord | Heartbeat] = []
    for event, arrival_ms in ((record.event, record.arrival_ms) for record in transcript.log()):
        if event is None:
            records.append(Heartbeat(arrival_ms))
        else:
            values = transcript.sensors.readings(event.row)
            readings = tuple("null" if isnan(value) else repr(value) for value in values)
            records.append(EventRecord(event.device_id, event.time_ms, readings, arrival_ms))
    return tuple(records)
