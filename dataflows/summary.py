"""The summary that a run prints at its end, for a person."""

import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from dataflows.connectors.locations import STANDARD, Locations, is_kafka
from dataflows.pipeline.metrics import Metrics
from runtime.terminal import Terminal

__all__ = ["RejectionsSoFar", "print_summary"]

_SCRIPT: Final = Path(__file__).parents[1] / "latecomer"
"""The command of a checkout; an installed package has one on the PATH."""

_TOO_LATE_SHARE: Final = 0.1
"""Above, something is wrong with the times or the window, rather than with the network."""

_CAUSE_CHARACTERS_MAX: Final = 200
"""A line of a terminal or two; the outputs have all of it."""


def print_summary(
    console: Terminal, metrics: Metrics, locations: Locations, seconds: float, amendments: str | None = None
) -> None:
    """Counts, rate, where the outputs are, amendments among them, and the command that shows them."""
    records = metrics.value("latecomer_records_total")
    rows = {
        "records": f"{records:,} in {seconds:.1f} s, {records / max(seconds, 1e-3):,.0f} records/s",
        "evaluations": _counts(metrics.by_cause()),
        "rejections": _counts(metrics.by_reason()),
        "predictions in": "standard output" if locations.predictions == STANDARD else locations.predictions,
        "rejections in": "standard output" if locations.rejections == STANDARD else locations.rejections,
    }
    if amendments is not None:
        rows["amendments in"] = amendments
    for name, value in rows.items():
        console.tell(value, name=name)
        if name == "rejections":
            for line in _causes(metrics):
                console.tell(line, name=" ")
    if command := _report_command(locations):
        console.tell(command, name="to look at them")
    if not records:
        console.warn(f"no record was read: {_nothing_in(locations.input)}")
    for warning in (*_warnings(metrics).values(), *metrics.warnings.values()):
        console.warn(warning)


def _nothing_in(place: str) -> str:
    if place == STANDARD:
        return "standard input was empty"
    kind = "topic" if is_kafka(place) else "file"
    return f"the {kind} {place} is empty, or --state, --from or --until leave nothing of it"


class RejectionsSoFar:
    """Tells, now and then, what a run that goes on has rejected so far, and what looks wrong."""

    def __init__(self, console: Terminal, metrics: Metrics) -> None:
        """Nothing has been told. Warnings that the metrics say themselves are not told again."""
        self._console = console
        self._metrics = metrics
        self._told = metrics.by_reason()
        self._warned: set[str] = set()

    def tell(self) -> None:
        """Counts and commonest causes, if there are rejections since the last time; each warning once."""
        rejected = self._metrics.by_reason()
        if rejected != self._told:
            self._told = rejected
            self._console.tell(_counts(rejected), name="rejections")
            for line in _causes(self._metrics):
                self._console.tell(line, name=" ")
        for kind, warning in _warnings(self._metrics).items():
            if kind not in self._warned:
                self._warned.add(kind)
                self._console.warn(warning)


def _report_command(locations: Locations) -> str | None:
    """What makes the report of outputs that are files."""
    outputs = [Path(locations.predictions), Path(locations.rejections)]
    if is_kafka(locations.predictions) or is_kafka(locations.rejections) or not all(path.is_file() for path in outputs):
        return None
    folder, names = outputs[0].parent, {path.stem for path in outputs}
    if names == {"predictions", "rejections"} and outputs[1].parent == folder:
        return f"{_program()} report {quote(str(folder))}"
    predictions, rejections = (quote(str(path)) for path in outputs)
    return f"{_program()} report --predictions {predictions} --rejections {rejections}"


def _program() -> str:
    """The command line as the shell of the user finds it."""
    if not _SCRIPT.is_file():
        return "latecomer"
    path = os.path.relpath(_SCRIPT)
    return quote(path if os.sep in path else f"./{path}")


def _warnings(metrics: Metrics) -> dict[str, str]:
    """What the counts warn of, by its kind."""
    found: dict[str, str] = {}
    if metrics.first_look is not None and (records := metrics.records_without_event()):
        found["no event"] = f"no event among {records:,} record{'s'[: records - 1]}; {metrics.first_look}"
    clamped = metrics.total("latecomer_arrivals_clamped_total")
    if clamped:
        found["clamped"] = f"{clamped:,} arrivals went back and were clamped to the clock of their partition"
    jumps = metrics.total("latecomer_arrival_jumps_total")
    if jumps:
        found["jumps"] = (
            f"{jumps:,} arrivals by producers' clocks went ahead by a day or more at once: a wrong clock may have "
            "expired the windows of other devices; use the broker's timestamps (LogAppendTime), and give each line of "
            "a file an arrival"
        )
    rejected = metrics.by_reason()
    if rejected["TOO_LATE"] > metrics.total("latecomer_records_total") * _TOO_LATE_SHARE:
        found["too late"] = (
            f"{rejected['TOO_LATE']:,} events were TOO_LATE, more than one in ten: a longer --interval keeps events "
            "for longer; also look at the unit and the zone of their times, and for a device with a wrong clock"
        )
    if rejected["WINDOW_FULL"]:
        found["window full"] = (
            f"{rejected['WINDOW_FULL']:,} events found their window full: --max-events says how many one may hold"
        )
    return found


def _causes(metrics: Metrics) -> Iterator[str]:
    """The commonest cause of each reason that has several."""
    for reason, number in metrics.by_reason().items():
        commonest = metrics.commonest_cause(reason)
        if number and commonest is not None:
            message = commonest.cause[:_CAUSE_CHARACTERS_MAX]
            yield f"{reason}, most often ({commonest.number:,}): {message}; the first is {commonest.example}"


def _counts(counts: dict[str, int]) -> str:
    named = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
    return f"{sum(counts.values()):,}" + (f": {named}" if named else "")
