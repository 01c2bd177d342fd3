"""Makes the golden states of this version: ``.venv/bin/python -P -m tests.golden.make``.

Run it when the form of a state changes, under a new name, and keep the old ones for as long as they are to be read.
"""

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dataflows.bytewax_flow.saved import saved_by_bytewax
from dataflows.saved_state.portable_file import write_portable_file
from dataflows.services.client import Services
from dataflows.state_folder import identity_in
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.dataflows.bytewax_flow.states import StatefulRuns
from tests.dataflows.commands import sample_log

__all__ = ["EXPORT", "NUMBERS", "RUN", "WHOLE_LOG", "demo_services"]

FOLDER: Final = Path(__file__).parent / "0.1.0"
RUN: Final = FOLDER / "bytewax.tar.xz"
"""A folder of a run that has read half of its log: the log, the outputs, the state."""

EXPORT: Final = FOLDER / "fleet.state"
"""The same state, exported."""

WHOLE_LOG: Final = "whole.jsonl"
"""The log with its other half, in that folder."""

NUMBERS: Final = {"interval_ms": 3_600_000, "idle_after_ms": 1_200_000, "forget_after_ms": 2_400_000}


@contextmanager
def demo_services() -> Iterator[Services]:
    """Both services of the demo, in this process."""
    servers = [start(ServerSettings.of(kind, port=0)) for kind in ("features", "inference")]
    try:
        yield Services(*(server.address for server in servers))
    finally:
        for server in servers:
            server.stop(0.0)


def main() -> None:
    """Make them anew."""
    lines = sample_log(devices=3, hours=3, late=0.1, duplicates=0.05, wrong_clock=0.02).splitlines(keepends=True)
    silent = range(len(lines) // 3, len(lines) * 2 // 3)
    lines = [line for number, line in enumerate(lines) if number not in silent or b"device-0001" not in line]
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as name, demo_services() as services:
        folder = Path(name)
        half = b"".join(lines[: len(lines) // 2])
        runs = StatefulRuns(folder, services, half)
        runs.run(**NUMBERS)
        (folder / WHOLE_LOG).write_bytes(b"".join(lines))
        identity = identity_in(runs.state)
        assert identity is not None
        with saved_by_bytewax(runs.state, identity) as (origin, devices):
            EXPORT.unlink(missing_ok=True)
            write_portable_file(EXPORT, origin, devices)
        with tarfile.open(RUN, "w:xz") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, path.name)
    shutil.copymode(RUN, EXPORT)  # what is in a checkout is no secret


if __name__ == "__main__":
    main()
