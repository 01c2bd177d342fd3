"""A disk without space is said in one line that names the file; once there is space, a run goes on with its state."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.dataflows.commands import command_of, environment, latecomer, one_line, sample_log
from tests.reference import first_difference, read_outputs, reference
from window_core import WindowSpec

FULL = "No space left on device"

Resize = Callable[[int], None]


@pytest.fixture(scope="module")
def log() -> bytes:
    return sample_log(devices=10, hours=6)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Resize]:
    """A file system of its own in the folder ``disk``, of as many kB as it is told."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(folder)], check=True, capture_output=True)

    try:
        mount("-o", "size=64k")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no tmpfs can be mounted here: run the tests as root; a limit on the size of files is tried anyway")
    yield lambda kbytes: mount("-o", f"remount,size={kbytes}k")
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("flag", ["--output", "--rejections"])
def test_a_full_device_fails_the_run(tmp_path: Path, services: tuple[str, ...], flag: str) -> None:
    places = {"--input": "events.jsonl", "--output": "p.jsonl", "--rejections": "r.jsonl", flag: "/dev/full"}
    (tmp_path / "events.jsonl").write_bytes(sample_log(devices=2, hours=1) + b"{\n")
    flags = [part for place in places.items() for part in place]
    finished = latecomer("run", *services, *flags, cwd=tmp_path)
    assert finished.returncode == 1
    assert one_line(finished.stderr) == f"latecomer: /dev/full: {FULL}"


@pytest.mark.parametrize("command", [("produce", "--devices", "2", "--output", "-"), ("--help",)])
def test_a_full_standard_output_is_said(tmp_path: Path, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            command_of(*command), cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: standard output: {FULL}")


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("name", ["p.jsonl", "p.parquet"])
def test_a_full_disk_leaves_whole_lines(tmp_path: Path, services: tuple[str, ...], log: bytes, name: str) -> None:
    (tmp_path / "events.jsonl").write_bytes(log)
    output = ("--output", f"disk/{name}", "--rejections", "r.jsonl")
    finished = latecomer("run", *services, "--input", "events.jsonl", *output, cwd=tmp_path)
    [left] = {*(tmp_path / "disk").iterdir()} - {tmp_path / "disk" / f"{name}.run.toml"}
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: disk/{left.name}: {FULL}")
    assert left.read_bytes().endswith(b"}\n")
    assert left.stat().st_size > 50_000


@pytest.mark.usefixtures("disk", "has_flink")
def test_a_full_disk_under_flink_is_said(tmp_path: Path, services: tuple[str, ...], log: bytes) -> None:
    """Flink itself says that a part of it is shutting down."""
    (tmp_path / "events.jsonl").write_bytes(log)
    places = ("--input", "events.jsonl", "--output", "disk/p.jsonl", "--rejections", "r.jsonl")
    finished = latecomer("run", "--engine", "flink", "--quiet", *services, *places, cwd=tmp_path)
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: disk: {FULL}")


def test_lines_that_find_no_space_as_parquet_are_kept(
    tmp_path: Path, services: tuple[str, ...], log: bytes, disk: Resize
) -> None:
    (tmp_path / "events.jsonl").write_bytes(log)
    run = ("run", *services, "--input", "events.jsonl", "--rejections", "r.jsonl")
    assert latecomer(*run, "--output", "p.jsonl", cwd=tmp_path).returncode == 0
    lines = (tmp_path / "p.jsonl").read_bytes()
    disk(len(lines) // 1024 + 8)
    finished = latecomer(*run, "--output", "disk/p.parquet", cwd=tmp_path)
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: disk/p.parquet: {FULL}")
    left = {path.name: path.read_bytes() for path in (tmp_path / "disk").glob("p.parquet*")}
    assert left.pop("p.parquet.run.toml")
    assert left == {"p.parquet.lines": lines}


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    ("command", "path"),
    [
        (("produce", "--output", "disk/events.jsonl"), "disk/events.jsonl"),
        (("run", "--quiet", "--output", "disk/p.jsonl"), "disk/sample-events.jsonl"),
    ],
)
def test_events_that_find_no_space_are_said(tmp_path: Path, command: tuple[str, ...], path: str) -> None:
    finished = latecomer(*command, cwd=tmp_path)
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: {path}: {FULL}")


@pytest.mark.parametrize(
    ("state", "output", "kbytes"),
    [
        ("disk/state", "p.jsonl", 4),  # a database is made
        ("disk/state", "p.jsonl", 48),  # its tables are there
        ("disk/state", "p.jsonl", 96),  # its indexes are made
        ("disk/state", "p.jsonl", 128),  # whose state it is is written down
        ("disk/state", "p.jsonl", 160),  # the run begins
        ("disk/state", "p.jsonl", 300),  # epochs end
        ("state", "disk/p.jsonl", 100),
        ("disk/state", "disk/p.jsonl", 700),
    ],
)
def test_a_run_whose_disk_was_full_goes_on_once_there_is_space(
    tmp_path: Path,
    services: tuple[str, ...],
    log: bytes,
    disk: Resize,
    state: str,
    output: str,
    kbytes: int,
) -> None:
    (tmp_path / "events.jsonl").write_bytes(log)
    places = ("--input", "events.jsonl", "--output", output, "--rejections", "r.jsonl", "--state", state)
    run = ("run", "--quiet", *services, *places, "--epoch", "5ms", "--batch-windows", "8")
    disk(kbytes)
    finished = latecomer(*run, cwd=tmp_path)
    assert finished.returncode == 1
    said = one_line(finished.stderr)
    assert said.startswith(("latecomer: disk/state", "latecomer: disk/p.jsonl"))
    assert said.endswith(f": {FULL}")
    disk(20_000)
    finished = latecomer(*run, cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, b"")
    written = read_outputs(tmp_path / output, tmp_path / "r.jsonl")
    assert first_difference(reference(log, WindowSpec()), written) == ""


def test_a_full_disk_is_not_taken_for_damage(
    tmp_path: Path, services: tuple[str, ...], log: bytes, disk: Resize
) -> None:
    (tmp_path / "events.jsonl").write_bytes(log)
    places = ("--input", "events.jsonl", "--output", "p.jsonl", "--rejections", "r.jsonl", "--state", "disk/state")
    run = ("run", "--quiet", *services, *places)
    disk(1_000)
    assert latecomer(*run, cwd=tmp_path).returncode == 0
    with (tmp_path / "disk" / "of others").open("wb", buffering=0) as others, suppress(OSError):
        while others.write(bytes(4096)):
            pass
    finished = latecomer(*run, cwd=tmp_path)
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: disk/state: {FULL}")
    (tmp_path / "disk" / "of others").unlink()
    assert latecomer(*run, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("state", "kbytes", "says"),
    [
        ("state", 12, "state: File too large"),  # while it is made
        ("state", 120, "state: disk I/O error"),  # while epochs end: a small file can still be written
        (None, 120, "p.jsonl: File too large"),
    ],
)
def test_a_file_that_may_not_grow_is_said(
    tmp_path: Path, services: tuple[str, ...], log: bytes, state: str | None, kbytes: int, says: str
) -> None:
    """Where a test may mount nothing: a limit on the size of each file meets the same writes."""
    (tmp_path / "events.jsonl").write_bytes(log)
    places = (
        ("--output", "/dev/null", "--rejections", "r.jsonl", "--state", state) if state else ("--output", "p.jsonl")
    )
    run = command_of("run", "--quiet", *services, "--input", "events.jsonl", *places, "--epoch", "5ms")
    finished = subprocess.run(
        ["sh", "-c", f'ulimit -f {2 * kbytes}; exec "$@"', "sh", *run],
        cwd=tmp_path, env=environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: {says}")
