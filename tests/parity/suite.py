"""The suite itself: draws logs, lets every run of every job read them, and compares what they wrote with the loop."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dataflows.embedded_services import embedded_service
from dataflows.metrics import Metrics
from dataflows.service_client import ServiceClient, Services
from dataflows.settings import RunSettings
from tests.parity.comparison import Compared, Difference, compared, differences, owners_of, positions
from tests.parity.drawing import drawn_logs
from tests.parity.engines import EngineError, EngineRun, LogFile, checkout_on_path, cuts_of
from tests.parity.expected import Asked, Expectation, expectation_of, oracle_difference
from tests.parity.jobs import JOBS, Job
from tests.parity.logs import Combined, Log, Placed, as_lines, combined
from tests.reference import Outputs

__all__ = ["AskedServices", "Finding", "Outcome", "chosen_jobs", "judged", "prepared", "run_jobs", "running_services"]

LOGS_A_JOB: Final = 40
"""Fewer are not worth the start of a job: a small sample goes through fewer jobs."""

AT_ONCE: Final = 2
"""Runs side by side: a small machine has two cores."""


class AskedServices(NamedTuple):
    """The services of a job, and how the loop asks them; ``None``: it knows what they do."""

    services: Services
    asked: Asked | None


@dataclass(frozen=True)
class Prepared:
    """A job with its logs, and what has to come out."""

    job: Job
    logs: Sequence[Log]
    whole: Combined
    file: LogFile
    placed: list[Placed]
    expectation: Expectation


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


@contextmanager
def running_services(*feature_options: str, inference_options: Sequence[str] = ()) -> Iterator[Services]:
    """Both services, started by ``latecomer serve``."""
    with ExitStack() as stack:
        stack.enter_context(checkout_on_path())
        features = stack.enter_context(embedded_service("features", *feature_options))
        inference = stack.enter_context(embedded_service("inference", *inference_options))
        yield Services(features, inference)


@contextmanager
def asking(services: Services) -> Iterator[Asked]:
    """A way to ask services about one window a call."""
    with closing(ServiceClient(services, RunSettings(rpc="unary", timeout_ms=60_000), Metrics())) as client:
        yield client.answers


def prepared(job: Job, logs: Sequence[Log], asked: Asked | None = None) -> Prepared:
    """A job over these logs."""
    whole = combined(logs, job.spec, job.start_ms, overlap=not job.goes_back)
    data, placed = as_lines(whole.log, ends_with_newline=len(logs) % 2 == 0)
    until_ms = None
    if job.has_until:
        arrivals = [entry.arrival_ms for entry in placed if entry.arrival_ms is not None]
        until_ms = arrivals[len(arrivals) * 9 // 10]
    expectation = expectation_of(placed, job.spec, until_ms, asked)
    cuts = () if job.goes_back else cuts_of(placed)
    return Prepared(job, logs, whole, LogFile(data, job.spec, until_ms, cuts), placed, expectation)


def judged(job: Prepared, run: EngineRun, services: Services) -> tuple[Outputs, Finding | None]:
    """What a run gave, and what is wrong with it."""
    try:
        outputs = run.outputs(job.file, services)
    except EngineError as error:
        return {}, Finding(job, run, None, str(error), ())
    expected, actual = job.expectation.outputs, outputs
    if job.job.compares == "positions":
        expected, actual = positions(expected), positions(actual)
    found = list(differences(expected, actual))
    if not found:
        return outputs, None
    suspects = Counter(owner for difference in found for owner in owners_of(difference, job.placed, job.whole.owners))
    first = min(suspects) if suspects else 0
    shown = next((one for one in found if owners_of(one, job.placed, job.whole.owners) == {first}), found[0])
    return outputs, Finding(job, run, shown, "", tuple(sorted(suspects)))


def run_jobs(
    jobs: Sequence[Job], examples: int, seed: int, say: Callable[[str], None], own: AskedServices | None = None
) -> Outcome:
    """Draw logs, and let them through every run of these jobs.

    Args:
        jobs: what to run.
        examples: logs in all.
        seed: another gives other logs.
        say: takes a line about how far it is.
        own: services to ask in place of the suite's.
    """
    outcome = Outcome()
    with ExitStack() as stack:
        kinds: dict[bool, AskedServices] = {}
        for is_refusing in sorted({job.is_refusing for job in jobs}):
            if own is not None:
                kinds[is_refusing] = own
                continue
            options = ("--features-from", "tests.parity.refusing:FEATURES") if is_refusing else ()
            services = stack.enter_context(running_services(*options))
            asked = stack.enter_context(asking(services)) if is_refusing else None
            kinds[is_refusing] = AskedServices(services, asked)
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        waiting: list[tuple[Prepared, list[tuple[EngineRun, Future[tuple[Outputs, Finding | None]]]]]] = []
        for number, job in enumerate(jobs):
            share = -(-examples // len(jobs))
            logs = drawn_logs(share, 1_000 * seed + number, job.spec, goes_back=job.goes_back)
            of_job = prepared(job, logs, kinds[job.is_refusing].asked)
            _count(outcome, of_job)
            services = kinds[job.is_refusing].services
            runs = sorted(job.runs, key=lambda run: run.engine, reverse=True)  # the longer ones first
            waiting.append((of_job, [(run, pool.submit(judged, of_job, run, services)) for run in runs]))
            while waiting and all(future.done() for _, future in waiting[0][1]):
                _finish(outcome, *waiting.pop(0), say)
        for of_job, futures in waiting:
            _finish(outcome, of_job, futures, say)
    return outcome


def _count(outcome: Outcome, job: Prepared) -> None:
    outcome.jobs += 1
    outcome.logs += len(job.logs)
    outcome.records += len(job.placed)
    outcome.occurred.update(job.expectation.occurred)
    difference = oracle_difference(job.expectation, job.job.spec)
    if difference:
        outcome.findings.append(Finding(job, None, None, difference, ()))
    else:
        outcome.count("plain loop, against the oracle", compared(job.expectation.outputs))


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
    say(f"{job.job.name}: {len(job.logs):,} logs, {len(job.placed):,} records: {'; '.join(verdicts)}")
