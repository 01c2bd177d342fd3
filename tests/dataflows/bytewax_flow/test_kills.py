"""Bytewax on a file, killed at random moments: while it starts, while it recovers, and anywhere in an epoch.

``LATECOMER_KILLS=100 pytest -s -o timeout=0`` with the path of this file kills 100 times in place of 3,
and prints what became of the outputs and how long it took to go on.
"""

import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic

from dataflows.services.client import Services
from tests.dataflows.bytewax_flow.states import StatefulRuns, epochs
from tests.dataflows.commands import latecomer, sample_log, started
from tests.faults.figures import KILLS, report

SLOW = ("--batch-windows", "4", "--in-flight", "1", "--epoch", "20ms")
START_S = 2.0
"""About what a start takes; half the kills fall into one."""


def lines(runs: StatefulRuns) -> list[bytes]:
    return sorted(line for path in (runs.predictions, runs.rejections) for line in path.read_bytes().splitlines())


def test_killed_at_random_moments_it_writes_what_a_run_writes_that_nobody_kills(
    tmp_path: Path, features_address: str, inference_address: str
) -> None:
    random, services = Random(KILLS), Services(features_address, inference_address)
    log = sample_log(devices=20, hours=8 + 4 * KILLS)
    (tmp_path / "undisturbed").mkdir()
    undisturbed = StatefulRuns(tmp_path / "undisturbed", services, log)
    undisturbed.run(interval_ms=3_600_000)
    expected = lines(undisturbed)
    runs = StatefulRuns(tmp_path, services, log)
    options = ["run", "--quiet", *runs.options, *runs.service_options, "--interval", "1h"]
    recovered_s: list[float] = []
    for number in range(KILLS):
        with started(*options, *SLOW, cwd=tmp_path) as process:
            begun_s, wanted = monotonic(), epochs(runs.state) + 1
            if number % 2:
                while process.poll() is None and epochs(runs.state) < wanted:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0.005)
                recovered_s.append(monotonic() - begun_s)
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 0.1 if number % 2 else START_S))
            assert process.poll() is None, process.communicate()
            process.kill()
            process.wait()
    finished = latecomer(*options, cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, b"")
    report("bytewax: SIGKILL, file to files", KILLS, expected, lines(runs), recovered_s)
    assert lines(runs) == expected  # not one line twice
