"""``python -m tests.simulation [--engine E] [--seeds N] [--first S]``: exit status 1 and a short plan if one fails."""

import argparse
import sys
from time import monotonic

from tests.simulation.seeds import ENGINES, looked_at


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulates runs from seeds.")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="which one (default: both)")
    parser.add_argument("--seeds", type=int, default=2_000, metavar="N", help="how many (default: 2000)")
    parser.add_argument("--first", type=int, default=0, metavar="S", help="the first seed (default: 0)")
    options = parser.parse_args()
    for engine in options.engine or ENGINES:
        began_s, done = monotonic(), 0
        for looked in looked_at(engine, range(options.first, options.first + options.seeds)):
            if looked.failing is not None:
                print(looked.failing.told(engine))
                return 1
            done += looked.seeds
            print(f"\r{engine}: {done} seeds", end="", file=sys.stderr, flush=True)
        minutes = (monotonic() - began_s) / 60
        print(f"\n{engine}: {options.seeds} seeds, {options.seeds / minutes:.0f} a minute, none fails")
    return 0


if __name__ == "__main__":
    sys.exit(main())
