"""What a run says at its end, for a person."""

from rich.console import Console
from rich.markup import escape

from dataflows.file_log import FileLog
from dataflows.kafka.log import KafkaLog
from dataflows.locations import STANDARD, Locations
from dataflows.metrics import Metrics

__all__ = ["print_summary"]


def print_summary(
    console: Console, metrics: Metrics, locations: Locations, log: FileLog | KafkaLog, seconds: float
) -> None:
    """Counts, rate, and where the outputs are."""
    records = metrics.value("latecomer_records_total")
    rows = {
        "events": f"{records:,} in {seconds:.1f} s, {records / max(seconds, 1e-3):,.0f} events/s",
        "evaluations": _counts(metrics.by_cause()),
        "rejections": _counts(metrics.by_reason()),
        "predictions in": "standard output" if locations.predictions == STANDARD else locations.predictions,
        "rejections in": "standard output" if locations.rejections == STANDARD else locations.rejections,
    }
    for name, value in rows.items():
        console.print(f"[bold]{name:<15}[/bold]", escape(value))
    lifted = metrics.value("latecomer_arrivals_lifted_total")
    if lifted:
        console.print(
            f"warning: {lifted:,} arrivals went back and were lifted to the clock of their device; "
            "nothing is lost, but another run may place the ticks around them elsewhere",
            style="yellow",
        )
    if isinstance(log, FileLog) and log.jumps:
        console.print(
            f"warning: {log.jumps:,} lines without an arrival moved the clock ahead by a day or more: "
            "if a device's clock was wrong there, give the lines an arrival",
            style="yellow",
        )


def _counts(counts: dict[str, int]) -> str:
    named = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
    return f"{sum(counts.values()):,}" + (f": {named}" if named else "")
