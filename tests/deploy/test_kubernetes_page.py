"""Every command on the page about Kubernetes is run in its order on a cluster, but for those that say what they need.

The cluster has to have the project's images. Its overlays are rendered without one.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from dataflows.command_line.deploy import deploy
from tests.conftest import ROOT
from window_core import DeviceWindow, Sensors, WindowSpec, checked_event

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SKIPPED = re.findall(r"^```sh needs ([^\n]+)\n", PAGE, re.MULTILINE)
WITH_OPERATOR = re.findall(r"^```sh needs the operator\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FILES = re.findall(r"^`(\S+\.yaml)`:\n\n```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

EXPECTED = (
    ("running in namespace latecomer", "features", "checkpoint"),
    ('"model_id":"log_reg_model/v2"',),
    ("running in namespace latecomer",),
    ("latecomer-taskmanager scaled", "successfully rolled out"),
    ("resumes from file:/", "running in namespace latecomer"),
    ("an overlay of your own",),
    (),
    ("3 images", "registry.company.example/latecomer/flink-job:0.1.0"),
    ("secret/features-tls created", "secret/latecomer-job-tls created"),
    ("secret/latecomer-token-issuer created",),
    ("running in namespace latecomer",),
    ("running in namespace latecomer",),
    (),
)
"""What each block says, in the order of the page."""


def test_each_block_has_an_expectation_and_what_is_not_run_says_why() -> None:
    assert len(BLOCKS) == len(EXPECTED)
    operator = ["the operator"] * len(WITH_OPERATOR)
    assert sorted(SKIPPED) == sorted(
        ["docker and kind", "your image", "the images, and a quarter of an hour", *operator]
    )
    assert len(WITH_OPERATOR) == 3


def state_of(sensors: Sensors, events: int) -> int:
    """Bytes of the snapshot of one device."""
    window, start_ms = DeviceWindow(WindowSpec(), "device-000001"), 1_587_920_555_000
    for at_ms in range(start_ms, start_ms + events * 500, 500):
        window.on_event(checked_event(sensors, "device-000001", at_ms, [0.5] * len(sensors.names), at_ms), at_ms)
    return len(window.snapshot())


def test_the_sizes_of_states_are_those_that_the_page_has() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d,]+) \| ([\d.]+) ([kM])B \| ([\d.]+) GB \|", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for number, events, size, unit, of_20_000 in rows:
        sensors = Sensors.of([f"sensor{index}" for index in range(int(number))])
        found = state_of(sensors, int(events.replace(",", "")))
        assert found == pytest.approx(float(size) * {"k": 1e3, "M": 1e6}[unit], rel=0.02)
        assert found * 20_000 == pytest.approx(float(of_20_000) * 1e9, rel=0.05)


def test_every_command_and_flag_of_ours_exists() -> None:
    for command, flags in re.findall(r"\./latecomer deploy (\w+)((?: --[a-z-]+(?: [\w./=-]+)?)*)", PAGE):
        known = {option for parameter in deploy.commands[command].params for option in parameter.opts}  # type: ignore[attr-defined]
        assert set(re.findall(r"--[a-z-]+", flags)) <= known


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout to who stands in it, on the cluster that was named."""
    wanted = os.environ.get("LATECOMER_TEST_CLUSTER")
    if not wanted:
        pytest.skip(
            "LATECOMER_TEST_CLUSTER names no cluster: set it to a context of kubectl, or to 1 for the current one"
        )
    check_ports_are_free()
    here = tmp_path_factory.mktemp("page")
    context = [] if wanted in ("1", "true", "yes") else [f"--context={wanted}"]
    view = ["kubectl", "config", "view", "--raw", "--flatten", "--minify", *context]
    (here / "kubeconfig").write_text(subprocess.run(view, check=True, capture_output=True, text=True).stdout)
    (here / ".venv" / "bin").mkdir(parents=True)
    for name, options in (("latecomer", " -m dataflows.command_line"), (".venv/bin/python", "")):
        (here / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{options} "$@"\n')
        (here / name).chmod(0o755)
    return here


def check_ports_are_free() -> None:
    """Whatever listens on the port that the page forwards would get the page's events in place of the cluster."""
    for port in set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(port)))
            except OSError:
                pytest.fail(f"port {port}, which the page forwards to Kafka, is taken here: end what listens there")


def run(block: str, folder: Path) -> str:
    """What a block prints; what it starts in the background ends with it."""
    with (
        (folder / "said").open("w") as out,
        subprocess.Popen(
            ["/bin/bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(folder / "kubeconfig")},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as shell,
    ):
        try:
            status = shell.wait(900)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
    said = (folder / "said").read_text()
    assert status == 0, f"{block}\n{said}"
    return said


@pytest.mark.timeout(2_000)
def test_the_page_does_what_it_says_with_the_operator(folder: Path) -> None:
    kubectl = ["kubectl", f"--kubeconfig={folder / 'kubeconfig'}"]
    label = "--selector=app.kubernetes.io/name=flink-kubernetes-operator"
    listed = [*kubectl, "get", "deployments", "--all-namespaces", "--output=name", label]
    if not subprocess.run(listed, check=True, capture_output=True).stdout:
        pytest.skip("no Flink Kubernetes Operator runs in the cluster")
    try:
        for block, expected in zip(WITH_OPERATOR[:2], ("resumes from", "condition met"), strict=True):
            assert expected in run(block, folder)
    finally:
        subprocess.run([*kubectl, "delete", "namespace", "latecomer", "--ignore-not-found"], check=False)


@pytest.mark.timeout(3_000)
def test_the_page_does_what_it_says(folder: Path) -> None:
    files = list(FILES)
    try:
        for block, expected in zip(BLOCKS, EXPECTED, strict=True):
            said = run(block, folder)
            for text in expected:
                assert text in said, f"{block}\n{said}"
            for name, text in list(files):
                if (folder / name).parent.parent.is_dir():  # its manifests are there
                    (folder / name).parent.mkdir(exist_ok=True)
                    (folder / name).write_text(text)
                    files.remove((name, text))
    finally:
        subprocess.run(
            [
                "kubectl",
                f"--kubeconfig={folder / 'kubeconfig'}",
                "delete",
                "namespace",
                "latecomer",
                "--ignore-not-found",
            ],
            check=False,
        )
    assert not files
