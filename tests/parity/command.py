"""What ``latecomer parity`` does, from its arguments to its report and its exit status."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from dataflows.flink_job.installation import check_installation
from tests.parity.engines import EngineRun
from tests.parity.jobs import JOBS, Job
from tests.parity.keeping import kept, side_by_side
from tests.parity.logs import as_lines
from tests.parity.recorded import run_recorded
from tests.parity.report import Report
from tests.parity.shrinking import shrunk
from tests.parity.suite import AskedServices, Finding, asking, chosen_jobs, judged, prepared, run_jobs, running_services
from window_core import WindowSpec

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
        until_ms: of a recorded log, records with a later arrival are not read.
        report: file for the report in JSON.
        keep: folder for the logs of differences.
        say: takes lines for the user.
    Raises:
        SettingsError: something is missing or wrong.
    """
    check_installation()
    start = perf_counter()
    with ExitStack() as stack:
        own = _own_services(stack, features_from, model)
        if recorded is None:
            jobs = chosen_jobs(examples) if spec is None else (Job("numbers of your own", spec, JOBS[0].runs),)
            outcome = run_jobs(jobs, examples, seed, say, own)
        else:
            spec = spec or WindowSpec()
            services = own or AskedServices(stack.enter_context(running_services()), None)
            outcome = run_recorded(recorded.read_bytes(), spec, until_ms, services, say)
        done = Report(seed if recorded is None else None, outcome, 0.0)
        for number, finding in enumerate(_to_explain(outcome.findings)):
            services = own or _services_of(stack, finding)
            done.shown.append(explained(finding, services, keep, f"difference-{seed}-{number}", say))
    done.minutes = (perf_counter() - start) / 60
    say(done.as_text())
    if report is not None:
        report.write_text(json.dumps(done.as_json(), indent=2, ensure_ascii=False) + "\n")
    return 0 if done.is_identical else 1


def explained(finding: Finding, services: AskedServices, keep: Path, name: str, say: Callable[[str], None]) -> str:
    """A difference made small, kept, and told."""
    job = finding.job.job
    heading = f"{finding.run.name if finding.run else 'the oracle'} differs in the job '{job.name}', {job.spec}"
    if finding.difference is None:
        files = kept(keep, name, finding.job.whole.log, job.spec, {"job": job.name})
        return f"{heading}:\n{finding.failure}\nthe log is kept in {files[0]}"
    say(f"{heading}: looking for a small log that shows it")
    small = shrunk(finding, *services)
    if small is None:
        log, found = finding.job.whole.log, finding
        heading += "; no small log shows it alone"
    else:
        log, found = small
    assert found.run is not None
    differences = {found.run.name: found.difference}
    for run in _other_runs(job, found.run):
        other = judged(prepared(replace(job, has_until=False), found.job.logs, services.asked), run, services.services)
        differences[run.name] = other[1].difference if other[1] is not None else None
    files = kept(
        keep, name, log, job.spec, {"job": job.name, "run": found.run.name, "settings": dict(found.run.settings)}
    )
    text = side_by_side(as_lines(log)[0], differences)
    return f"{heading}\n{text}\nkept in " + ", ".join(map(str, files))


def _other_runs(job: Job, run: EngineRun) -> list[EngineRun]:
    """One run of each other kind, to stand beside."""
    others = {other.name: other for other in job.runs if other.name != run.name}
    return list(others.values())


def _to_explain(findings: list[Finding]) -> list[Finding]:
    """One of each kind of run, and not too many."""
    kinds = {(finding.run.name if finding.run else ""): finding for finding in reversed(findings)}
    return list(kinds.values())[:_EXPLAINED]


def _own_services(stack: ExitStack, features_from: str | None, model: str | None) -> AskedServices | None:
    """The services with what is the user's own; ``None`` if nothing is."""
    if features_from is None and model is None:
        return None
    feature_options = () if features_from is None else ("--features-from", features_from)
    model_options = () if model is None else ("--model", model)
    services = stack.enter_context(running_services(*feature_options, inference_options=model_options))
    return AskedServices(services, stack.enter_context(asking(services)))


def _services_of(stack: ExitStack, finding: Finding) -> AskedServices:
    if finding.job.job.is_refusing:
        services = stack.enter_context(running_services("--features-from", "tests.parity.refusing:FEATURES"))
        return AskedServices(services, stack.enter_context(asking(services)))
    return AskedServices(stack.enter_context(running_services()), None)
