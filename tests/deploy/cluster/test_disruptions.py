"""What goes wrong in a cluster, and what is done to one on purpose: under load, no output is lost and none is wrong."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from dataflows.deployment.flink import job_report
from tests.deploy.cluster.pipeline import GIVE_UP_S, Pipeline
from tests.deploy.cluster.watching import Watch, usage_of, watched
from window_core import WindowSpec

RATE = 200
"""Events per second: far below what one small node can do, so that it catches up soon."""

TASK_MANAGERS = "deployment/latecomer-taskmanager"


def _crash(pipeline: Pipeline, component: str) -> None:
    """End Java as a fault of its own does: no word to anybody, no orderly end."""
    pod = pipeline.pod("latecomer-job", component=component)
    pipeline.kubectl.run("exec", pod, "--", "bash", "-c", "kill -SEGV 1")


def _delete_pod(pipeline: Pipeline, name: str, *options: str, **labels: str) -> None:
    """Options of kubectl decide whether it may end in order, as on a node that is drained, or is killed."""
    pipeline.kubectl.run("delete", "pod", pipeline.pod(name, **labels), "--wait=false", *options)


def _roll_services(pipeline: Pipeline) -> None:
    names = ("deployment/features", "deployment/inference")
    pipeline.kubectl.run("rollout", "restart", *names)
    for name in names:
        pipeline.kubectl.run("rollout", "status", name, f"--timeout={GIVE_UP_S:.0f}s", within_s=GIVE_UP_S + 30)


def _scale_services(pipeline: Pipeline) -> None:
    """As a scaler does that sees them busy, and then idle."""
    for number in (3, 2):
        names = ("deployment/features", "deployment/inference")
        pipeline.kubectl.run("scale", *names, f"--replicas={number}")
        for name in names:
            pipeline.kubectl.run("rollout", "status", name, f"--timeout={GIVE_UP_S:.0f}s", within_s=GIVE_UP_S + 30)


def _upgrade(pipeline: Pipeline) -> None:
    pipeline.deploy("upgrade", "--set", "batch-windows=64", "--timeout", "8m")


def _scale(pipeline: Pipeline, watch: Watch, number: int) -> None:
    pipeline.kubectl.run("scale", TASK_MANAGERS, f"--replicas={number}")
    watch.wait_until(partial(_has_parallelism, pipeline, number), f"the job on {number} task managers")


def _deploy_again(pipeline: Pipeline) -> None:
    """All of it is away meanwhile, Kafka too: what is sent waits where it is made."""
    pipeline.deploy("delete")
    pipeline.deploy("apply", "--timeout", "8m")


def _refuse_the_other_way(pipeline: Pipeline) -> None:
    pipeline.refused("apply", "--overlay", "local-operator")


def _double_the_load(pipeline: Pipeline, report: list[str]) -> None:
    """For as long as it takes to send a minute's worth, then it is as before; the lag goes with it.

    Half of it is of new devices; of those that send anyway, what is sent twice is TOO_LATE.
    """
    more = ("--devices", "200", "--seed", "4", "--rate", str(RATE), "--events", str(60 * RATE))
    lags = []
    with pipeline.running_in_tools(*pipeline.fleet(0), *more) as producing:
        while producing.poll() is None:
            lags.append(_lag(pipeline))
    known = sorted(lag for lag in lags if lag is not None)
    report.append(f"lag under the doubled load: median {known[len(known) // 2]:.0f}, largest {known[-1]:.0f} records")


def _lag(pipeline: Pipeline) -> float | None:
    report = job_report(pipeline.kubectl)
    return None if report is None else report.get("lag")


def _has_parallelism(pipeline: Pipeline, number: int) -> bool:
    report = job_report(pipeline.kubectl)
    return report is not None and report.get("parallelism") == number


def _is_saved_after(pipeline: Pipeline, start_ms: int) -> bool:
    """Whether the job took a checkpoint that began later: a new job manager has really taken over."""
    report = job_report(pipeline.kubectl)
    newest = report and report.get("checkpoints", {}).get("latest", {}).get("completed")
    return bool(newest) and newest["trigger_timestamp"] > start_ms


KILLED = ("--grace-period=0", "--force")

DISRUPTIONS: dict[str, Callable[[Pipeline, Watch], None]] = {
    "task manager crashes": lambda pipeline, _: _crash(pipeline, "taskmanager"),
    "task manager pod killed": lambda p, _: _delete_pod(p, "latecomer-job", *KILLED, component="taskmanager"),
    "job manager crashes": lambda pipeline, _: _crash(pipeline, "jobmanager"),
    "job manager pod deleted": lambda p, _: _delete_pod(p, "latecomer-job", component="jobmanager"),
    "feature service pod killed": lambda pipeline, _: _delete_pod(pipeline, "features", *KILLED),
    "inference service pod killed": lambda pipeline, _: _delete_pod(pipeline, "inference", *KILLED),
    "services rolled": lambda pipeline, _: _roll_services(pipeline),
    "services scaled to 3 and back": lambda pipeline, _: _scale_services(pipeline),
    "job upgraded by savepoint": lambda pipeline, _: _upgrade(pipeline),
    "rescaled to 2": lambda pipeline, watch: _scale(pipeline, watch, 2),
    "rescaled to 1": lambda pipeline, watch: _scale(pipeline, watch, 1),
    "overlay of the other way refused": lambda pipeline, _: _refuse_the_other_way(pipeline),
    "deleted and applied again": lambda pipeline, _: _deploy_again(pipeline),
}


@pytest.mark.timeout(3_600)
def test_no_disruption_loses_an_output_or_makes_a_wrong_one(pipeline: Pipeline, report: list[str]) -> None:
    idle = usage_of(pipeline)
    began: dict[str, tuple[int, float]] = {}
    with ExitStack() as stack:
        watch = stack.enter_context(watched(pipeline, RATE))
        steady = usage_of(pipeline)
        last = {"load doubled for a minute": lambda p, _: _double_the_load(p, report)}
        for name, disrupt in (DISRUPTIONS | last).items():
            start_ms = watch.now_ms
            disrupt(pipeline, watch)
            watch.wait_until(pipeline.is_settled, f"all pods after: {name}")
            watch.wait_until(partial(_is_saved_after, pipeline, watch.now_ms), f"a checkpoint after: {name}")
            watch.wait_until(watch.flows, f"outputs after: {name}")
            watch.wait_until(lambda: (_lag(pipeline) or 0) < 5 * RATE, f"a lag of less than 5 s after: {name}")
            began[name] = start_ms, watch.longest_pause_s(start_ms)
            print(f"{name}: {began[name][1]:.1f} s without output")
    whole = pipeline.compared()
    report.append(f"left of all upgrades, failed ones included: {pipeline.leftovers()}")
    report.append(f"| disruption, at {RATE} events/s | expected | lost | wrong | repeated | s without output |")
    starts = [start_ms for start_ms, _ in began.values()]
    for (name, (start_ms, pause_s)), end_ms in zip(began.items(), [*starts[1:], None], strict=True):
        part = pipeline.counted(start_ms, end_ms)
        numbers = " | ".join(str(part[what]) for what in ("expected", "lost", "wrong", "repeated"))
        report.append(f"| {name} | {numbers} | {pause_s:.1f} |")
    report.append(f"all: {whole}")
    report.append(f"| pod | MiB idle | MiB at {RATE} events/s | processors idle | at {RATE} events/s |")
    for pod, (mebibytes, processors) in steady.items():
        was = idle.get(pod, (0.0, 0.0))
        report.append(f"| {pod} | {was[0]:.0f} | {mebibytes:.0f} | {was[1]:.2f} | {processors:.2f} |")
    assert whole["expected"] > RATE
    assert whole.is_equal, whole


@pytest.mark.timeout(1_800)
def test_an_upgrade_changes_a_rule_from_the_savepoint_on(pipeline: Pipeline) -> None:
    fleet = ("--devices", "20", "--seed", "3")
    pipeline.tool(*pipeline.fleet(), *fleet, "--duration", "16h")
    assert pipeline.compared().is_equal
    pipeline.deploy("upgrade", "--set", "interval=5h", "--timeout", "8m")
    pipeline.laptop.go_on_under(replace(WindowSpec(), interval_ms=18_000_000))
    pipeline.tool(*pipeline.fleet(16 * 3_600_000), *fleet, "--duration", "2h")
    comparison = pipeline.compared()
    assert comparison.is_equal, comparison
    pipeline.deploy("upgrade", "--timeout", "8m")
    pipeline.laptop.go_on_under(WindowSpec())
