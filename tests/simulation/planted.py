"""Plants an error into the shipped code of this process, and looks for the first seed that shows it.

``python -m tests.simulation.planted [--seeds N] [NAME ...]`` prints a line for each error of
``tests/planted/simulation.yaml``: the seed, the steps of its plan and of the shortest that still fails.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import monotonic
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from tests.planted.run import FOLDER, ROOT, PlantedError, load_planted
from tests.simulation.seeds import Engine, first_failing

__all__ = ["ERRORS", "engine_of", "planted"]

ERRORS: Final = load_planted(FOLDER / "simulation.yaml")


def engine_of(error: PlantedError) -> Engine:
    """The engine whose runs are to show it."""
    return "flink" if "[flink]" in error.tests[0] else "bytewax"


@contextmanager
def planted(error: PlantedError) -> Iterator[None]:
    """Inside, a module has the functions and constants that it would have with the error in its source.

    Whoever holds one of its functions has the wrong one, too.
    """
    module = import_module(error.file.removesuffix(".py").replace("/", "."))
    source = Path(ROOT / error.file).read_text(encoding="utf-8")
    assert source.count(error.find) == 1, f"{error.name} does not apply"
    wrong = ModuleType(module.__name__)
    wrong.__dict__.update(module.__dict__)
    exec(compile(source.replace(error.find, error.replace), error.file, "exec"), wrong.__dict__)
    changed: list[tuple[FunctionType, CodeType]] = []
    constants = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, str | int | frozenset) and not name.startswith("__") and vars(wrong)[name] != value
    }
    try:
        vars(module).update({name: vars(wrong)[name] for name in constants})
        for name, function in _functions(module, module.__name__):
            other = dict(_functions(wrong, module.__name__)).get(name)
            if other is not None and other.__code__ != function.__code__:
                changed.append((function, function.__code__))
                function.__code__ = other.__code__
        assert changed or constants, f"{error.name} changes nothing that can be changed"
        yield
    finally:
        vars(module).update(constants)
        for function, code in changed:
            function.__code__ = code


def _functions(place: Any, module: str) -> Iterator[tuple[str, FunctionType]]:
    """The functions that a module or a class defines, those of its classes and properties too."""
    for value in list(vars(place).values()):
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        function = getattr(function, "__wrapped__", function)
        if isinstance(function, FunctionType) and function.__module__ == module:
            yield function.__qualname__, function
        elif isinstance(value, type) and value.__module__ == module:
            yield from _functions(value, module)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planted", description="Looks for planted errors.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of the names of errors (default: all)")
    parser.add_argument("--seeds", type=int, default=2_000, metavar="N", help="how many are looked at (default: 2000)")
    options = parser.parse_args()
    missed = 0
    for error in ERRORS:
        if options.names and not any(name in error.name for name in options.names):
            continue
        began_s = monotonic()
        with planted(error):
            found = first_failing(engine_of(error), range(options.seeds))
        took = f"{monotonic() - began_s:4.0f} s"
        if found is None:
            missed += 1
            print(f"{error.name:<76} not found in {options.seeds} seeds, {took}", flush=True)
        else:
            steps = f"{len(found.plan.steps):2} -> {len(found.short[0].steps):2} steps"
            print(f"{error.name:<76} seed {found.seed:4}  {steps}  {took}  {found.short[1][:90]!r}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
