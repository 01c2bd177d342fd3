"""The pipeline of the local overlay in a namespace of its own, and a pod of tools beside it."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import yaml

from dataflows.deployment.kubectl import DeployError, Kubectl
from tests.deploy.cluster.laptop import Laptop, Record
from window_core import DEMO_SENSORS, Sensors, WindowSpec

__all__ = ["GIVE_UP_S", "OUTPUTS", "Comparison", "Pipeline", "chosen_context", "helper_pod", "write_overlay"]

GIVE_UP_S: Final = 480.0
"""Far above what anything here takes on a quiet node of two cores, and enough on a busy one."""

OUTPUTS: Final = ("predictions", "rejections")

DEPLOYED_WITHIN_S: Final = 900.0
"""Above every ``--timeout`` that the tests give."""

_TOOLS: Final = "tools"
_SCRIPT: Final = Path(__file__).with_name("in_pod.py").read_text()


def helper_pod(name: str, image: str, labels: dict[str, str], command: list[str] | None = None) -> dict[str, Any]:
    """A pod that a restricted namespace admits, of the image of the services."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command or ["sleep", "infinity"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": security,
            "containers": [container],
        },
    }


class Comparison(dict[str, int]):
    """How many outputs were expected, lost, wrong and repeated, and how many devices had theirs out of order."""

    @property
    def is_equal(self) -> bool:
        return not (self["lost"] or self["wrong"] or self["disordered"])


class Pipeline:
    """The pipeline in one namespace, and what has to come out of it."""

    def __init__(
        self, context: str | None, namespace: str, sensors: Sensors = DEMO_SENSORS, tag: str | None = None
    ) -> None:
        self.context, self.namespace, self.tag = context, namespace, tag
        self.kubectl = Kubectl(context, namespace)
        self.laptop = Laptop(WindowSpec(), sensors)
        self._start_ms = 1_587_920_555_000  # of the original demo
        self._taken = [0, 0, 0, 0]  # offsets of raw-events that the laptop has seen, by partition
        self._given: dict[str, list[Record]] = {topic: [] for topic in OUTPUTS}

    def make_namespace(self) -> None:
        """Make the namespace, restricted, for what has to be there before the pipeline."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": self.namespace, "labels": labels}
        self.kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])

    def deploy(self, command: str, *options: str) -> str:
        """What ``latecomer deploy`` says."""
        ended = self._deployed(command, *options)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def refused(self, command: str, *options: str) -> str:
        """The last line of a ``latecomer deploy`` that fails."""
        ended = self._deployed(command, *options)
        assert ended.returncode == 1, ended.stderr
        return ended.stderr.splitlines()[-1]

    def _deployed(self, command: str, *options: str) -> "subprocess.CompletedProcess[str]":
        where = ["--namespace", self.namespace, *([] if self.context is None else ["--context", self.context])]
        image = [] if self.tag is None else ["--image", self.tag]
        whole = [sys.executable, "-m", "dataflows.command_line", "deploy", command, *where, *image, *options]
        return subprocess.run(whole, capture_output=True, text=True, timeout=DEPLOYED_WITHIN_S, check=False)

    def start_tools(self, image: str) -> None:
        self.kubectl.apply([helper_pod(_TOOLS, image, {"latecomer/kafka-client": "true"})])
        self.wait_for("Ready", f"pod/{_TOOLS}")

    def wait_for(self, condition: str, *pods: str) -> None:
        """Wait until pods have a condition: ``Ready``, or an expression of kubectl's."""
        wanted = condition if "=" in condition else f"condition={condition}"
        self.kubectl.run("wait", *pods, f"--for={wanted}", f"--timeout={GIVE_UP_S:.0f}s", within_s=GIVE_UP_S + 30)

    def fleet(self, later_ms: int = 40 * 86_400_000) -> tuple[str, ...]:
        """The command to send events of a fleet that lives later than the last one: else its events were TOO_LATE.

        No clock is wrong: one of another year that is ahead looks right to the broker's, and all behind it is TOO_LATE.
        """
        self._start_ms += later_ms
        output = ("--output", "kafka://kafka:9092/raw-events")
        return ("latecomer", "produce", *output, "--wrong-clock", "0", "--start", str(self._start_ms))

    def tool(self, *command: str) -> str:
        """What a command in the pod of tools prints."""
        return self.kubectl.run("exec", _TOOLS, "--", *command, within_s=GIVE_UP_S)

    def asked(self, *arguments: str, pod: str = _TOOLS) -> list[Any]:
        """What ``in_pod.py`` prints there."""
        command = ("exec", "--stdin", pod, "--", "python3", "-", *arguments)
        return [json.loads(line) for line in self.kubectl.run(*command, given=_SCRIPT, within_s=GIVE_UP_S).splitlines()]

    @contextmanager
    def running_in_tools(self, *command: str, given: str = "") -> Iterator[subprocess.Popen[str]]:
        """A command that runs in the pod of tools meanwhile."""
        prefix = [*self.kubectl._command, "exec", "--stdin", _TOOLS, "--"]
        process = subprocess.Popen([*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(given)
            process.stdin.close()
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def pod(self, name: str, **labels: str) -> str:
        """A pod of a workload that runs."""
        wanted = {"app.kubernetes.io/name": name, **labels}
        for pod in self.kubectl.labelled("pods", ",".join(f"{key}={value}" for key, value in wanted.items())):
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]:
                return str(pod["metadata"]["name"])
        raise AssertionError(f"no pod of {wanted} runs")

    def leftovers(self) -> dict[str, int]:
        """How many savepoints there are, and versions of the job's settings."""
        pod = self.pod("latecomer-job", component="taskmanager")
        listed = self.kubectl.run("exec", pod, "--", "ls", "/var/lib/latecomer/savepoints").split()
        named = [one["metadata"]["name"] for one in self.kubectl.json("get", "configmaps")["items"]]
        return {"savepoints": len(listed), "settings": sum(name.startswith("latecomer-settings") for name in named)}

    def is_settled(self) -> bool:
        """Whether every pod that should run does, and none is on its way out."""
        pods = self.kubectl.labelled("pods", "app.kubernetes.io/part-of=latecomer")
        return all(
            pod["status"]["phase"] == "Succeeded"
            or all(one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": False}]))
            for pod in pods
        ) and not any("deletionTimestamp" in pod["metadata"] for pod in pods)

    def compared(self) -> Comparison:
        """Compare all that came out with all that has to, once everything is there or nothing more comes."""
        self._catch_up()
        return self.counted()

    def counted(self, from_ms: int = 0, until_ms: int | None = None) -> Comparison:
        """What the last comparison found, of the outputs of these instants."""
        expected = {line for line, at_ms in self.laptop.lines.items() if _is_between(at_ms, from_ms, until_ms)}
        times = Counter(record.value.encode() for topic in OUTPUTS for record in self._given[topic] if record.value)
        repeated = {line: number - 1 for line, number in times.items() if number > 1}
        return Comparison(
            expected=len(expected),
            lost=len(expected - times.keys()),
            wrong=len(list(_those_between(times.keys() - self.laptop.lines.keys(), from_ms, until_ms))),
            repeated=sum(repeated[line] for line in _those_between(repeated, from_ms, until_ms)),
            disordered=self._disordered(),
        )

    def _catch_up(self) -> None:
        """Let the clock pass all records, give them to the laptop, and read outputs until all are there."""
        [clock_ms] = self.asked("beat", "raw-events")
        for record in self._records("raw-events", self._taken):
            self._taken[record.partition] = record.offset + 1
            self.laptop.take([record])
        self.laptop.run_to(clock_ms - 1)
        give_up_s = monotonic() + GIVE_UP_S / 2
        missing = set(self.laptop.lines)
        while True:
            for topic, known in self._given.items():
                first = [0, 0, 0, 0]
                for record in known:
                    first[record.partition] = record.offset + 1
                known += self._records(topic, first)
                missing.difference_update(record.value.encode() for record in known if record.value)
            if not missing or monotonic() > give_up_s:
                return
            sleep(1)

    def _records(self, topic: str, first: list[int]) -> list[Record]:
        return [Record(*fields) for fields in self.asked("records", topic, ",".join(map(str, first)))]

    def _disordered(self) -> int:
        """Devices whose predictions did not come in their order, repeats left out."""
        last: dict[str, tuple[int, int]] = {}
        seen: set[str] = set()
        disordered = set()
        for record in self._given["predictions"]:
            evaluation_id = json.loads(record.value or "")["evaluation_id"]
            if evaluation_id in seen:
                continue
            seen.add(evaluation_id)
            device_id, session, seq = evaluation_id.rsplit("/", 2)
            place = int(session), int(seq)
            if place < last.get(device_id, place):
                disordered.add(device_id)
            last[device_id] = place
        return len(disordered)

    def end(self) -> None:
        try:
            self.kubectl.run("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found")
        except DeployError as error:
            print(f"namespace {self.namespace} could not be deleted: {error}", file=sys.stderr)


def _is_between(at_ms: int, from_ms: int, until_ms: int | None) -> bool:
    return from_ms <= at_ms and (until_ms is None or at_ms < until_ms)


def _those_between(lines: Iterable[bytes], from_ms: int, until_ms: int | None) -> Iterator[bytes]:
    return (line for line in lines if _is_between(_instant(line), from_ms, until_ms))


def _instant(line: bytes) -> int:
    fields = json.loads(line)
    return int(fields.get("as_of_ms") or fields.get("arrival_ms") or 0)


def chosen_context() -> str | None:
    """The context that the tests may use; ``None`` is the current one."""
    chosen = os.environ["LATECOMER_TEST_CLUSTER"]
    return None if chosen == "1" else chosen


def write_overlay(kubernetes: Path, name: str, *components: str) -> Path:
    """An overlay of a copy of the manifests: the base in the sizes of the local overlay, with these components."""
    overlay = kubernetes / "overlays" / name
    overlay.mkdir()
    kustomization = {
        "namespace": "latecomer",
        "resources": ["../../base"],
        "components": ["../local/sizes", *(f"../../components/{component}" for component in components)],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return overlay
