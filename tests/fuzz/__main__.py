"""``python -m tests.fuzz [--trials N] [--seed S] [--keep] [NAME ...]``: exit status 1 if an input does harm.

Prints a table with a line for each decoder in Python, and for those in Java if no name is given.
"""

import argparse
import re
import shutil
import subprocess
import sys
from time import monotonic

from tests.conftest import ROOT
from tests.fuzz.decoders import DECODERS
from tests.fuzz.fuzzing import fuzzed, keep

_JAVA_LINE = re.compile(r"fuzz: (.+): (\d+) tried")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Mutates the inputs of decoders.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of the names of decoders (default: all)")
    parser.add_argument("--trials", type=int, default=100_000, metavar="N", help="of each (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the mutations (default: 1)")
    parser.add_argument("--keep", action="store_true", help="add inputs that are told apart or do harm to the corpus")
    options = parser.parse_args()
    harm = 0
    print("| decoder | language | inputs tried | crashes | hangs | s |\n| --- | --- | --- | --- | --- | --- |")
    for name, decoder in DECODERS.items():
        if options.names and not any(part in name for part in options.names):
            continue
        began_s = monotonic()
        found = fuzzed(name, decoder, options.trials, options.seed)
        figures = (f"{found.tried:,}", len(found.crashes), len(found.hangs), f"{monotonic() - began_s:.0f}")
        print(f"| {name} | Python | {' | '.join(map(str, figures))} |", flush=True)
        harm += len(found.crashes) + len(found.hangs)
        for error in dict.fromkeys(error for _, error in found.crashes):
            print(f"  {error}", file=sys.stderr)
        if options.keep:
            for data in [*found.new, *found.hangs, *(data for data, _ in found.crashes)]:
                keep(name, data)
    return 1 if harm + (0 if options.names else _in_java(options.trials)) else 0


def _in_java(trials: int) -> int:
    """The same for what is in Java, whose test fails at the first crash or hang; how often it did."""
    if not shutil.which("mvn"):
        print("Maven is not on the PATH: the decoders in Java are not looked at", file=sys.stderr)
        return 0
    began_s = monotonic()
    command = ["mvn", "--batch-mode", "--file", "grpc_services/java", "test", "-Dspotless.check.skip"]
    command += ["-Dtest=BatchFuzzTest", f"-Dfuzz.trials={trials}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    for name, tried in _JAVA_LINE.findall(done.stdout):
        print(f"| {name} | Java | {int(tried):,} | 0 | 0 | {monotonic() - began_s:.0f} in all |")
    if done.returncode:
        print(done.stdout[-2_000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
