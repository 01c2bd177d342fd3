"""The suite itself: draws logs, lets every run of every job read them, and compares what they wrote with the loop."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from tests.parity.comparison import Compared, Difference, compared, differences, owners_of
from tests.parity.drawing import drawn_logs
from tests.parity.engines import (
    FILE,
    EngineError,
    EngineRun,
    LogFile,
    LogTopic,
    bytes_before,
    cuts_of,
    instants_of,
)
from tests.parity.expected import Asked, Expectation, expectation_of, oracle_difference
from tests.parity.jobs import JOBS, Job, with_sensors
from tests.parity.logs import Combined, Log, Placed, as_lines, as_topic, combined
from tests.parity.surroundings import Surrounding, Surroundings
from tests.reference import Outputs
from window_core import Evaluation, Sensors

__all__ = [
    "Finding",
    "Outcome",
    "Prepared",
    "Reading",
    "chosen_jobs",
    "judged",
    "prepared",
    "run_jobs",
]

LOGS_A_JOB: Final = 40
"""Fewer are not worth the start of a job: a small sample goes through fewer jobs."""

AT_ONCE: Final = 2
"""Runs side by side: a small machine has two cores."""


@dataclass(frozen=True)
class Reading:
    """A log as a file or as a topic, and what has to come out of it.

    Attributes:
        owners: for each record the number of the combined log that it is from.
    """

    log: LogFile | LogTopic
    placed: list[Placed]
    owners: tuple[int, ...]
    expectation: Expectation


@dataclass(frozen=True)
class Prepared:
    """A job with its logs, ready to be read as whatever its runs read."""

    job: Job
    logs: Sequence[Log]
    whole: Combined
    readings: Mapping[str, Reading]


@dataclass(frozen=True)
class Finding:
    """One run of one job that was not as expected.

    Attributes:
        difference: the first output that differs, or
        failure: what the engine said when it failed, or the loop and the oracle when they differ.
        suspects: the numbers of the logs that it is about.
    """

    job: Prepared
    run: EngineRun | None
    difference: Difference | None
    failure: str
    suspects: tuple[int, ...]


@dataclass
class Outcome:
    """What a suite found.

    Attributes:
        logs: how many went through every engine.
        records: how many these held.
        amounts: for each kind of run what was found equal.
        occurred: how often each rule showed itself.
    """

    logs: int = 0
    records: int = 0
    jobs: int = 0
    amounts: dict[str, Compared] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)
    occurred: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def count(self, name: str, found: Compared) -> None:
        before = self.amounts.get(name, Compared(0, 0))
        self.amounts[name] = Compared(before.outputs + found.outputs, before.size + found.size)
        self.runs[name] += 1


def chosen_jobs(examples: int) -> tuple[Job, ...]:
    """The jobs that so many logs are enough for."""
    return JOBS[: min(max(examples // LOGS_A_JOB, 2), len(JOBS))]


def prepared(job: Job, logs: Sequence[Log], asked: Asked | None = None) -> Prepared:
    """A job over these logs."""
    whole = combined(logs, job.spec, job.start_ms, overlap=not job.goes_back)
    media: set[str] = {run.medium for run in job.runs}
    readings = {medium: (_as_file if medium == FILE else _as_topic)(job, whole, asked) for medium in sorted(media)}
    return Prepared(job, logs, whole, readings)


def _as_file(job: Job, whole: Combined, asked: Asked | None) -> Reading:
    sensors = job.sensors
    data, placed = as_lines(whole.log, sensors, ends_with_newline=len(whole.log) % 2 == 0)
    until_ms = _until_ms(job, placed)
    log = LogFile(data, job.spec, sensors, until_ms, bytes_before(placed, cuts_of(placed)), instants_of(placed))
    return Reading(log, placed, whole.owners, expectation_of(placed, job.spec, sensors, until_ms, asked))


def _as_topic(job: Job, whole: Combined, asked: Asked | None) -> Reading:
    sensors = job.sensors
    records, placed, owners = as_topic(whole, sensors, job.partitions)
    until_ms = _until_ms(job, placed)
    log = LogTopic(records, job.partitions, job.spec, sensors, until_ms, cuts_of(placed), instants_of(placed))
    return Reading(log, placed, owners, expectation_of(placed, job.spec, sensors, until_ms, asked))


def _until_ms(job: Job, placed: Sequence[Placed]) -> int | None:
    """The end of a run that has one: the very instant of a tick, late in the log."""
    if not job.has_until:
        return None
    outputs = [output for of in expectation_of(placed, job.spec, job.sensors).evaluations.values() for output, _ in of]
    evaluations = [output for output in outputs if isinstance(output, Evaluation)]
    ticks = [output.as_of_ms for output in evaluations if output.cause == "tick"]
    instants = sorted(ticks or [output.as_of_ms for output in evaluations])
    return instants[len(instants) * 9 // 10] if instants else None


def judged(job: Prepared, run: EngineRun, around: Surroundings) -> tuple[Outputs, Finding | None]:
    """What a run gave, and what is wrong with it."""
    reading = job.readings[run.medium]
    try:
        outputs = run.outputs(reading.log, around.services, around.topics)
    except EngineError as error:
        return {}, Finding(job, run, None, str(error), ())
    parted = differences(reading.expectation.outputs, outputs)
    found = [(one, owners_of(one, reading.placed, reading.owners)) for one in parted]
    if not found:
        return outputs, None
    suspects = set().union(*(owners for _, owners in found))
    shown = min(found, key=lambda one: sorted(one[1]))[0]
    return outputs, Finding(job, run, shown, "", tuple(sorted(suspects)))


def run_jobs(
    jobs: Sequence[Job],
    examples: int,
    seed: int,
    say: Callable[[str], None],
    surrounding: Surrounding,
    sensors: Sensors | None = None,
) -> Outcome:
    """Draw logs, and let them through every run of these jobs.

    Args:
        jobs: what to run.
        examples: logs in all.
        seed: another gives other logs.
        say: takes a line about how far it is.
        surrounding: starts what the jobs need.
        sensors: of all generated logs; ``None``: those of each job's fleet.
    """
    outcome = Outcome()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: list[tuple[Prepared, list[tuple[EngineRun, Future[tuple[Outputs, Finding | None]]]]]] = []
        for number, job in enumerate(jobs):
            job = job if job.logs else with_sensors(job, seed, sensors)
            around = surrounding.of(job)
            logs: Sequence[Log] = job.logs
            if not logs:
                share = -(-examples // sum(not other.logs for other in jobs))
                logs = drawn_logs(share, 1_000 * seed + number, job.spec, job.sensors, goes_back=job.goes_back)
            of_job = prepared(job, logs, around.asked)
            _count(outcome, of_job)
            runs = sorted(job.runs, key=lambda run: run.engine, reverse=True)  # the longer ones first
            waiting.append((of_job, [(run, pool.submit(judged, of_job, run, around)) for run in runs]))
            while waiting and all(future.done() for _, future in waiting[0][1]):
                _finish(outcome, *waiting.pop(0), say)
        for of_job, futures in waiting:
            _finish(outcome, of_job, futures, say)
    return outcome


def _count(outcome: Outcome, job: Prepared) -> None:
    outcome.jobs += 1
    outcome.logs += len(job.logs)
    outcome.records += len(job.whole.log)
    outcome.occurred[f"logs of {_width(job.job)}"] += len(job.logs)
    for reading in job.readings.values():
        outcome.occurred.update(reading.expectation.occurred)
        difference = oracle_difference(reading.expectation, job.job.spec)
        if difference:
            outcome.findings.append(Finding(job, None, None, difference, ()))
        else:
            outcome.count("plain loop, against the oracle", compared(reading.expectation.outputs))


def _finish(
    outcome: Outcome,
    job: Prepared,
    futures: Sequence[tuple[EngineRun, "Future[tuple[Outputs, Finding | None]]"]],
    say: Callable[[str], None],
) -> None:
    """Take the results of a job."""
    verdicts = []
    for run, future in futures:
        outputs, finding = future.result()
        if finding is None:
            outcome.count(run.name, compared(outputs))
        else:
            outcome.findings.append(finding)
        verdicts.append(f"{run.name} {'equal' if finding is None else 'DIFFERENT'}")
    what = f"{len(job.logs):,} logs, {len(job.whole.log):,} records, {_width(job.job)}"
    say(f"{job.job.name}: {what}: {'; '.join(verdicts)}")


def _width(job: Job) -> str:
    return "1 sensor" if job.sensors.width == 1 else f"{job.sensors.width} sensors"
