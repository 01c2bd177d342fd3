"""``python -m tests.faults [--kills N] [--stopped S] [--add-to FILE] [ARGUMENT ...]``: prints a table of figures."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.figures import Row, table

TESTS = ("tests/dataflows/bytewax_flow/test_kills.py", "tests/dataflows/connectors/kafka/test_kills.py", "tests/faults")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Does harm to whole runs; the rest of the line goes to pytest."
    )
    parser.add_argument(
        "--kills",
        type=int,
        default=100,
        metavar="N",
        help="of each run, and a tenth of each other fault (default: 100)",
    )
    parser.add_argument(
        "--stopped", type=float, default=130, metavar="S",
        help="for how many seconds what is stopped stays so (default: 130, which no client's time-out reaches)",
    )  # fmt: skip
    parser.add_argument(
        "--add-to", type=Path, metavar="FILE",
        help="of figures, to which those of this run are added, for one table of several runs (default: none)",
    )  # fmt: skip
    options, more = parser.parse_known_args()
    with TemporaryDirectory() as folder:
        figures = options.add_to or Path(folder) / "figures"
        figures.touch()
        known = {"LATECOMER_KILLS": options.kills, "LATECOMER_STOPPED_S": options.stopped, "LATECOMER_FIGURES": figures}
        environment = os.environ | {name: str(value) for name, value in known.items()}
        command = [sys.executable, "-m", "pytest", "-q", "-o", "timeout=0", "-p", "no:cacheprovider", *TESTS, *more]
        status = subprocess.run(command, env=environment, check=False).returncode
        print(table(Row(*json.loads(line)) for line in figures.read_text().splitlines()))
    return status


if __name__ == "__main__":
    sys.exit(main())
