"""What ``latecomer parity`` does, from its arguments to its report and its exit status."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from dataflows.flink_job.installation import check_installation
from grpc_services.python.plugins import load_features, load_model
from runtime.errors import SettingsError
from runtime.written_files import naming
from tests.parity.comparison import Difference
from tests.parity.engines import EngineRun
from tests.parity.jobs import JOBS, Job
from tests.parity.keeping import kept, side_by_side
from tests.parity.logs import Log, as_lines
from tests.parity.recorded import run_recorded
from tests.parity.report import Report
from tests.parity.shrinking import shrunk
from tests.parity.suite import (
    Finding,
    chosen_jobs,
    judged,
    prepared,
    run_jobs,
)
from tests.parity.surroundings import Surrounding, Surroundings, asking, running_services
from tests.parity.transcript_jobs import transcript_jobs
from window_core import DEMO_SENSORS, Sensors, WindowSpec

__all__ = ["parity"]

_EXPLAINED = 3
"""Differences that are made small and shown; there is rarely more than one cause."""


def parity(
    *,
    examples: int,
    seed: int,
    recorded: Path | None,
    features_from: str | None,
    model: str | None,
    spec: WindowSpec | None,
    sensors: Sensors | None,
    until_ms: int | None,
    report: Path | None,
    keep: Path,
    say: Callable[[str], None],
) -> int:
    """Run the suite. Exit status: 0 identical, 1 different.

    Args:
        examples: how many logs are generated.
        seed: another gives others.
        recorded: a file of events to take in place of them.
        features_from: features of the user's own, as ``module:name``.
        model: a model of the user's own, as a file or ``module:name``.
        spec: numbers of the windows; ``None``: those of the suite, or the defaults for a recorded log.
        sensors: of the logs; ``None``: the demo's and others, or the demo's for a recorded log.
        until_ms: of a recorded log, records with a later arrival are not read.
        report: file for the report in JSON.
        keep: folder for the logs of differences.
        say: takes lines for the user.
    Raises:
        SettingsError: something is missing or wrong.
    """
    check_installation()
    own_sensors = sensors or DEMO_SENSORS
    load_features(features_from, own_sensors)  # what is wrong with them is said before anything starts
    load_model(model)
    if report is not None and not report.resolve().parent.is_dir():
        raise SettingsError(f"--report {report}: there is no such folder")
    start = perf_counter()
    with ExitStack() as stack:
        own = _own_services(stack, features_from, model, own_sensors)
        surrounding = Surrounding(stack, own, own_sensors)
        if recorded is None:
            jobs = _jobs(examples, spec)
            # What is a user's own is for one list of sensors.
            outcome = run_jobs(jobs, examples, seed, say, surrounding, sensors if own is None else own_sensors)
        else:
            data = recorded.read_bytes()
            outcome = run_recorded(data, spec or WindowSpec(), own_sensors, until_ms, surrounding, say)
        done = Report(seed if recorded is None else None, outcome, 0.0)
        with naming(keep):
            _explain(done, surrounding, keep, say)
    done.minutes = (perf_counter() - start) / 60
    say(done.as_text())
    if report is not None:
        with naming(report):
            report.write_text(json.dumps(done.as_json(), indent=2, ensure_ascii=False) + "\n")
    return 0 if done.is_identical else 1


def _jobs(examples: int, spec: WindowSpec | None) -> list[Job]:
    """What generated logs go through; with enough for every job, the transcripts go along."""
    if spec is not None:
        return [Job("numbers of your own", spec, JOBS[0].runs)]
    jobs = chosen_jobs(examples)
    return [*jobs, *(transcript_jobs() if len(jobs) == len(JOBS) else [])]


def _explain(done: Report, surrounding: Surrounding, keep: Path, say: Callable[[str], None]) -> None:
    """Make differences small, keep their logs, and tell of them."""
    known: list[Log] = []
    for number, finding in enumerate(_to_explain(done.outcome.findings)):
        say(f"{_heading(finding)}: looking for a small log that shows it")
        around = surrounding.of(finding.job.job)
        small = shrunk(finding, around, known)
        if small is not None:
            known.append(small[0])
        done.shown.append(_told(finding, small, around, keep, f"difference-{done.seed or 0}-{number}"))


def _heading(finding: Finding) -> str:
    job = finding.job.job
    who = finding.run.name if finding.run else "the oracle"
    return f"{who} differs in the job '{job.name}', {job.spec}, sensors {job.sensors}"


def _told(finding: Finding, small: tuple[Log, Finding] | None, around: Surroundings, keep: Path, name: str) -> str:
    """A difference in words; its log is kept."""
    job = finding.job.job
    run = finding.run
    notes = {"job": job.name, "run": run.name if run else None, "settings": dict(run.settings) if run else {}}
    log, found = small or (finding.job.whole.log, finding)
    files = ", ".join(map(str, kept(keep, name, log, job.spec, job.sensors, notes)))
    if found.difference is None or run is None:
        return f"{_heading(finding)}:\n{finding.failure}\nkept in {files}"
    shown: dict[str, Difference | None] = {run.name: found.difference}
    if small is not None:
        for other in _other_runs(job, run):
            beside = judged(prepared(replace(job, has_until=False), found.job.logs, around.asked), other, around)[1]
            shown[other.name] = None if beside is None else beside.difference
    alone = "" if small is not None else "; no small log shows it alone"
    return f"{_heading(finding)}{alone}\n{side_by_side(as_lines(log, job.sensors)[0], shown)}\nkept in {files}"


def _other_runs(job: Job, run: EngineRun) -> list[EngineRun]:
    """One run of each other kind, to stand beside."""
    others = {other.name: other for other in job.runs if other.name != run.name}
    return list(others.values())


def _to_explain(findings: list[Finding]) -> list[Finding]:
    """One of each kind of run, and not too many."""
    kinds = {(finding.run.name if finding.run else ""): finding for finding in reversed(findings)}
    return list(kinds.values())[:_EXPLAINED]


def _own_services(
    stack: ExitStack, features_from: str | None, model: str | None, sensors: Sensors
) -> Surroundings | None:
    """The services with what is the user's own; ``None`` if nothing is."""
    if features_from is None and model is None:
        return None
    feature_options = ["--sensors", ",".join(sensors.declared)]
    feature_options += () if features_from is None else ("--features-from", features_from)
    model_options = () if model is None else ("--model", model)
    services = stack.enter_context(running_services(*feature_options, inference_options=model_options))
    return Surroundings(services, stack.enter_context(asking(services, sensors)), None)
