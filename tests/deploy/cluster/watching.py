"""Watches the outputs while something is done to the pipeline: for how long nothing came, and what each pod uses."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from time import monotonic, sleep

from tests.deploy.cluster.pipeline import _SCRIPT, GIVE_UP_S, Pipeline

__all__ = ["Watch", "usage_of", "watched"]


class Watch:
    """When the number of predictions grew."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.is_over = False
        self._grew_ms: list[int] = []
        self._number = -1

    def note(self, line: str) -> None:
        self.now_ms, number = json.loads(line)
        if number != self._number:
            self._grew_ms.append(self.now_ms)
        self._number = number

    def longest_pause_s(self, from_ms: int) -> float:
        """The longest time without an output since an instant; one that began before counts whole."""
        before = [at_ms for at_ms in self._grew_ms if at_ms < from_ms][-1:]
        grew = [*before, *(at_ms for at_ms in self._grew_ms if at_ms >= from_ms), self.now_ms]
        return max(later - earlier for earlier, later in pairwise(grew)) / 1000

    def flows(self, for_ms: int = 4_000) -> bool:
        """Whether outputs came all the time lately."""
        return bool(self._grew_ms) and self.longest_pause_s(self.now_ms - for_ms) < 1.0

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        give_up_s = monotonic() + GIVE_UP_S
        while not condition():
            assert monotonic() < give_up_s, f"{what}: not within {GIVE_UP_S:.0f} s"
            sleep(0.5)


@contextmanager
def watched(pipeline: Pipeline, rate: int) -> Iterator[Watch]:
    """The pipeline under a steady load, in events per second, with its outputs watched."""
    watch = Watch()
    load = (*pipeline.fleet(), "--devices", "100", "--seed", "2")
    try:
        with pipeline.running_in_tools(*load, "--duration", "30d", "--rate", str(rate)):
            threading.Thread(target=_follow, args=(pipeline, watch), daemon=True).start()
            watch.wait_until(watch.flows, "outputs under a steady load")
            yield watch
    finally:
        watch.is_over = True
        pipeline.tool("python3", "-c", _END_LOAD)


def _follow(pipeline: Pipeline, watch: Watch) -> None:
    """Until it is over: a busy API server may cut a connection, and a new one sees the topic as the old one did."""
    while not watch.is_over:
        with pipeline.running_in_tools("python3", "-", "watch", "predictions", given=_SCRIPT) as watching:
            assert watching.stdout is not None
            for line in watching.stdout:
                if line.endswith("\n"):  # else it was cut there
                    watch.note(line)


_END_LOAD = """
import os, pathlib, signal
for folder in pathlib.Path("/proc").iterdir():
    if folder.name.isdecimal() and int(folder.name) != os.getpid():
        words = (folder / "cmdline").read_bytes().split(b"\\0")
        if b"produce" in words or b"watch" in words:
            os.kill(int(folder.name), signal.SIGTERM)
"""
"""What ``kubectl exec`` started goes on when it ends: the load is ended where it runs."""


def usage_of(pipeline: Pipeline, seconds: float = 10.0) -> dict[str, tuple[float, float]]:
    """Memory in MiB and processors used by each pod, over some seconds, as the kernel counts them."""
    pods = [pod["metadata"]["name"] for pod in pipeline.kubectl.labelled("pods", "app.kubernetes.io/part-of=latecomer")
            if pod["status"]["phase"] == "Running"]  # fmt: skip
    before = {pod: _counted(pipeline, pod) for pod in pods}
    sleep(seconds)
    after = {pod: _counted(pipeline, pod) for pod in pods}
    return {
        pod: (after[pod][0] / 2**20, (after[pod][1] - before[pod][1]) / (after[pod][2] - before[pod][2]))
        for pod in pods
    }


def _counted(pipeline: Pipeline, pod: str) -> tuple[float, float, float]:
    """Bytes of memory, seconds of processor time, and when that was."""
    printed = pipeline.kubectl.run("exec", pod, "--", "sh", "-c", _COUNTERS).split()
    return float(printed[0]), float(printed[1]), monotonic()


_COUNTERS = """
cd /sys/fs/cgroup
if [ -e memory.stat ]; then
  awk '$1 == "anon" { print $2 }' memory.stat
  awk '$1 == "usage_usec" { print $2 / 1e6 }' cpu.stat
else
  awk '$1 == "total_rss" { print $2 }' memory/memory.stat
  awk '{ print $1 / 1e9 }' cpuacct/cpuacct.usage
fi
"""
