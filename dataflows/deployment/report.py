"""The lines of ``latecomer deploy status``: what is ready, the lag of the job, its last checkpoint, restarts."""

from collections.abc import Iterator
from typing import Any

from dataflows.deployment.flink import job_report
from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import Manifests
from dataflows.deployment.pods import OURS, restarts, trouble
from dataflows.deployment.waiting import operator_says, progress
from dataflows.deployment.ways import check_way
from dataflows.flink_job.causes import first_cause

__all__ = ["status_lines"]


def status_lines(kubectl: Kubectl, manifests: Manifests) -> tuple[list[str], bool]:
    """The lines, and whether everything is as it should be.

    Raises:
        DeployError: the job runs in another way than the manifests have it.
    """
    check_way(kubectl, manifests)
    states = progress(kubectl, manifests)
    rows = [(name, state + ("" if is_ready else "  NOT READY")) for name, (state, is_ready) in states.items()]
    report = job_report(kubectl)
    if report is None or report["job"] is None:
        rows.append(("Flink", "no job manager answers"))
    else:
        rows += _of_the_job(report)
    pods = kubectl.labelled("pods", OURS)
    restarted = [f"{pod['metadata']['name']} {restarts(pod)}" for pod in pods if restarts(pod)]
    rows.append(("restarts", ", ".join(restarted) or "none"))
    reason = trouble(kubectl, pods, crashes=1)
    if reason is not None:
        rows.append(("trouble", reason))
    words = operator_says(kubectl, manifests)
    if words is not None:
        rows.append(("operator", words[0]))
    width = max(len(name) for name, _ in rows)
    is_well = reason is None and words is None and "job" in states and all(is_ready for _, is_ready in states.values())
    return [f"{name:{width}}  {text}" for name, text in rows], is_well


def _of_the_job(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    job, metrics, now_ms = report["job"], report["metrics"], report["now"]
    begun = metrics.get("numRestarts") or metrics.get("fullRestarts") or "0"
    since = _seconds(int(metrics.get("uptime") or 0))
    yield "Flink", f"{job['state']} for {since}, parallelism {report['parallelism']}, restarted {begun} times"
    lag = report["lag"]
    yield "lag", "not known yet" if lag is None else f"{lag:,.0f} records not read yet"
    counts, latest = report["checkpoints"]["counts"], report["checkpoints"]["latest"]
    last = latest.get("completed")
    if last is None:
        yield "checkpoint", f"none yet, {counts['failed']} failed"
    else:
        age = _seconds(now_ms - last["latest_ack_timestamp"])
        yield (
            "checkpoint",
            (
                f"{age} ago, {last['state_size'] / 1e6:,.1f} MB in {_seconds(last['end_to_end_duration'])}, "
                f"{counts['failed']} failed; {last['external_path']}"
            ),
        )
    failed = latest.get("failed")
    if failed and (last is None or failed["id"] > last["id"]):
        yield "failed", f"checkpoint {failed['id']}: {failed.get('failure_message')}"
    if report["failure"]:
        yield "last failure", first_cause(report["failure"])


def _seconds(milliseconds: int) -> str:
    """
    >>> _seconds(1_500), _seconds(200_000), _seconds(90_000_000)
    ('1.5 s', '3 min', '25 h')
    """
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
