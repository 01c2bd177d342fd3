"""A machine that cannot run a node says so in a ``NodeError``, for which the story is skipped, and leaves nothing."""

import subprocess
from pathlib import Path
from time import monotonic

import pytest

from tests.deploy.cluster import node
from tests.deploy.cluster.node import COMMANDS, OF_THE_MACHINE, NodeError, digest_of_sources, started_node

pytestmark = pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="needs Linux, as a node does")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of a node that all succeed and do nothing, on a machine that is large enough."""
    monkeypatch.setattr(node, "NEEDED", {"memory": 0, "disk": 0})
    for name in COMMANDS:
        command(tmp_path, name, "true")
    return tmp_path


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_folder_without_the_commands_is_named(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="has no up, down, base-images, build-image"), started_node(tmp_path):
        raise AssertionError


def test_a_machine_that_is_too_small_is_not_burdened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "NEEDED", {"memory": 2**60, "disk": 0})
    command(folder, "up", f"touch {folder}/started")
    with pytest.raises(NodeError, match="GiB of memory are free"), started_node(folder):
        raise AssertionError
    assert not (folder / "started").exists()


def test_a_node_that_does_not_start_says_its_last_words_and_is_stopped(folder: Path) -> None:
    command(folder, "up", "echo 'must run as root' >&2; exit 1")
    command(folder, "down", f"touch {folder}/stopped")
    with pytest.raises(NodeError, match="must run as root"), started_node(folder):
        raise AssertionError
    assert (folder / "stopped").exists()


def test_a_node_that_names_no_cluster_is_refused(folder: Path) -> None:
    with pytest.raises(NodeError, match="printed no line"), started_node(folder):
        raise AssertionError


def test_a_cluster_that_does_not_answer_is_no_failure_of_the_pipeline(folder: Path) -> None:
    (folder / "kubeconfig").write_text("{}")
    command(folder, "up", f"echo 'export KUBECONFIG={folder}/kubeconfig PATH=/nowhere:$PATH'")
    with pytest.raises(NodeError), started_node(folder):
        raise AssertionError


def test_a_command_that_hangs_is_killed_with_what_it_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "STARTED_WITHIN_S", 5.0)
    command(folder, "up", f"sh -c 'echo $$ > {folder}/child; exec sleep 600'")
    began_s = monotonic()
    with pytest.raises(NodeError, match="did not end within 5 s"), started_node(folder):
        raise AssertionError
    assert monotonic() - began_s < 60
    child = Path(f"/proc/{(folder / 'child').read_text().strip()}/stat")
    while is_running(child):
        assert monotonic() - began_s < 60


def test_a_command_is_not_waited_for_where_the_test_itself_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does when pytest's own time-out comes first."""
    started = []

    def ends(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        monkeypatch.undo()
        started.append(process)
        raise KeyboardInterrupt

    command(folder, "up", "exec sleep 600")
    monkeypatch.setattr(subprocess.Popen, "wait", ends)
    began_s = monotonic()
    with pytest.raises(KeyboardInterrupt):
        node._run([folder / "up"], 600.0)
    assert monotonic() - began_s < 60
    assert started[0].poll() is not None


def a_node_that_answers(folder: Path, kubectl: str) -> None:
    """Commands of a node whose ``kubectl`` is a script."""
    (folder / "bin").mkdir()
    command(folder / "bin", "kubectl", kubectl)
    command(folder, "up", f"echo 'export PATH={folder}/bin:$PATH'")


MADE_NOW = """\
case "$*" in
*namespace*) date -u '+{"metadata": {"creationTimestamp": "%Y-%m-%dT%H:%M:%SZ"}}' ;;
*) echo '{"items": []}' ;;
esac"""
"""The answers of a cluster that has just been started, and has no images."""


def test_an_answer_without_what_was_asked_is_no_failure_of_the_pipeline(folder: Path) -> None:
    a_node_that_answers(folder, "echo '{}'")
    with pytest.raises(NodeError, match="KeyError: 'metadata'"), started_node(folder):
        raise AssertionError


@pytest.mark.parametrize("down", ["exit 1", "exec sleep 600"], ids=["fails", "hangs"])
def test_a_node_that_cannot_be_stopped_is_no_failure(
    folder: Path, down: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node, "STOPPED_WITHIN_S", 5.0)
    a_node_that_answers(folder, MADE_NOW)
    command(folder, "down", down)
    with started_node(folder) as tag:
        assert tag == digest_of_sources()
    assert "the node could not be stopped" in capsys.readouterr().err


def test_a_node_that_ran_before_is_not_stopped(folder: Path) -> None:
    a_node_that_answers(folder, MADE_NOW.replace("%Y", "2020"))
    command(folder, "down", f"touch {folder}/stopped")
    with started_node(folder):
        pass
    assert not (folder / "stopped").exists()


def test_all_that_is_built_shares_one_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "BUILT_WITHIN_S", 8.0)
    a_node_that_answers(folder, MADE_NOW)
    command(folder, "build-image", "sleep 3")
    with pytest.raises(NodeError, match="build-image did not end within"), started_node(folder):
        raise AssertionError


def is_running(stat: Path) -> bool:
    """Whether a process is neither gone nor dead."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    "words",
    [
        "E: Failed to fetch http://deb.debian.org/debian/pool/main/m/maven.deb  503  Service Unavailable",
        "Could not transfer artifact org.apache.kafka:kafka_2.13:pom:4.4.0 from/to central",
        "WARNING: Retrying after connection broken by 'ReadTimeoutError': Read timed out.",
        "write /opt/flink/lib/flink-dist.jar: no space left on device",
    ],
)
def test_the_words_of_a_machine_are_told_from_those_of_the_project(words: str) -> None:
    assert OF_THE_MACHINE.search(words)
    assert not OF_THE_MACHINE.search('Error: building at STEP "COPY window_cor /source/": no such file or directory')
    assert not OF_THE_MACHINE.search("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE")


def test_the_tag_of_the_images_follows_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = digest_of_sources()
    assert digest_of_sources() == tag
    monkeypatch.setattr(node, "SOURCES", tuple(name for name in node.SOURCES if name != "runtime/"))
    assert digest_of_sources() != tag
