"""What a run counts: one set of names on every engine, for the summary and in Prometheus' format."""

from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from grpc_services.python.service_metrics import ServiceMetrics
from window_core import CAUSES, REASONS

__all__ = ["CauseCount", "Metrics", "metric_names"]

_LATENESS_S: Final = (1, 10, 60, 300, 900, 3_600, 10_800, 36_000)
_CALL_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALL_WINDOWS: Final = (1, 4, 16, 64, 256, 1_024, 4_096)


_CAUSES_MAX: Final = 100
"""Kinds of rejection that are told apart; a service may say something else of each window."""


Samples: TypeAlias = dict[str, list[tuple[str, dict[str, str], float]]]
"""Of each family of metrics: name, labels and value."""


class CauseCount(NamedTuple):
    """Rejections of one reason and one cause.

    Attributes:
        reason: why they were rejected.
        cause: the error and the field of an INVALID record; service, status and message of a REFUSED evaluation.
        number: how many there were.
        example: the position of the first, or the id of the evaluation.
    """

    reason: str
    cause: str
    number: int
    example: str


class Metrics(Collector):
    """The counters of one run, in a registry of their own.

    Attributes:
        of_processes: the last ``samples`` of each process that works for this run.
        warnings: by their kind.
        first_look: of a log that did not begin with an event: what its first record looks like.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        """Count nothing yet.

        Args:
            say: takes a warning when it comes up; the summary tells it again.
        """
        self.registry = registry = CollectorRegistry()
        self.records = Counter("latecomer_records", "Records read, without blank lines", registry=registry)
        self.evaluations = Counter("latecomer_evaluations", "Evaluations", ["cause"], registry=registry)
        self.rejections = Counter("latecomer_rejections", "Rejections", ["reason"], registry=registry)
        self.clamped = Counter(
            "latecomer_arrivals_clamped",
            "Arrivals below the clock of their partition, which were clamped to it",
            ["partition"],
            registry=registry,
        )
        self.jumps = Counter(
            "latecomer_arrival_jumps",
            "Arrivals set by producers that were a day or more ahead of the clock",
            ["partition"],
            registry=registry,
        )
        self.arrival = Gauge(
            "latecomer_arrival_seconds", "Largest arrival read, in seconds since 1970", ["partition"], registry=registry
        )
        self.lag = Gauge(
            "latecomer_lag_records",
            "Offsets of a topic behind what was read, markers of transactions included",
            ["partition"],
            registry=registry,
        )
        self.lateness = Histogram(
            "latecomer_lateness_seconds",
            "How far late events are behind newest, in seconds",
            buckets=_LATENESS_S,
            registry=registry,
        )
        self.calls = Histogram(
            "latecomer_call_seconds",
            "Duration of a call, or of a message on a stream",
            ["service"],
            buckets=_CALL_S,
            registry=registry,
        )
        self.call_windows = Histogram(
            "latecomer_call_windows",
            "Windows in a call, or in a message on a stream",
            ["service"],
            buckets=_CALL_WINDOWS,
            registry=registry,
        )
        self.retries = Counter("latecomer_retries", "Calls that were retried", ["service", "status"], registry=registry)
        for reason in REASONS:
            self.rejections.labels(reason)  # served as 0 from the start on, for alerts
        self._counters = {  # what the summary tells
            "latecomer_records_total": self.records,
            "latecomer_evaluations_total": self.evaluations,
            "latecomer_rejections_total": self.rejections,
            "latecomer_arrivals_clamped_total": self.clamped,
            "latecomer_arrival_jumps_total": self.jumps,
        }
        self.of_processes: dict[int, Samples] = {}
        self.warnings: dict[str, str] = {}
        self.first_look: str | None = None
        self._causes: dict[tuple[str, str], CauseCount] = {}
        self._causes_lock = Lock()  # batches are answered in several threads
        self._say = say
        self._arrivals_ms: dict[str, int] = {}

    def arrived(self, partition: str, arrival_ms: int) -> None:
        """Note the last arrival of a partition: made for each record, the gauge asks for it when it is looked at."""
        if partition not in self._arrivals_ms:
            self.arrival.labels(partition).set_function(partial(self._arrival_s, partition))
            self.clamped.labels(partition)  # served as 0 from the first record on, for whoever watches them
            self.jumps.labels(partition)
        self._arrivals_ms[partition] = arrival_ms

    def _arrival_s(self, partition: str) -> float:
        return self._arrivals_ms[partition] / 1000

    def warn(self, kind: str, warning: str) -> None:
        """Warn of something, once for each kind of it in a run."""
        if kind not in self.warnings:
            self.warnings[kind] = warning
            if self._say is not None:
                self._say(warning)

    def caused(self, reason: str, cause: str, example: str, number: int = 1) -> None:
        """Note why something was rejected, for the summary."""
        with self._causes_lock:
            known = self._causes.get((reason, cause))
            if known is not None:
                self._causes[reason, cause] = known._replace(number=known.number + number)
            elif len(self._causes) < _CAUSES_MAX:
                self._causes[reason, cause] = CauseCount(reason, cause, number, example)

    def commonest_cause(self, reason: str) -> CauseCount | None:
        """The commonest cause of a reason; of two, the one that came first."""
        with self._causes_lock:
            causes = [cause for cause in self._causes.values() if cause.reason == reason]
        return max(causes, key=lambda cause: cause.number, default=None)

    def warn_of_traces(self, warning: str) -> None:
        """Warn that traces do not arrive."""
        self.warn("traces", warning)

    def report(self) -> dict[str, Any]:
        """What the summary tells, as JSON holds it, for another process to ``add``."""
        counts = [
            (sample.name, sample.labels, sample.value)
            for counter in self._counters.values()
            for family in counter.collect()
            for sample in family.samples
            if sample.name in self._counters
        ]
        with self._causes_lock:
            causes = list(self._causes.values())
        return {"counts": counts, "warnings": self.warnings, "causes": causes, "first_look": self.first_look}

    def add(self, report: dict[str, Any], before: dict[str, Any] | None = None) -> None:
        """Count what another process counted, and warn of what it warned of.

        Args:
            report: of that process.
            before: an earlier report of it, which was added.
        """
        counted = {} if before is None else {_place(*count): count[2] for count in before["counts"]}
        for name, labels, number in report["counts"]:
            counter = self._counters[name]
            more = number - counted.get(_place(name, labels, number), 0)
            (counter.labels(**labels) if labels else counter).inc(more)
        self.first_look = self.first_look or report["first_look"]
        for kind, warning in report["warnings"].items():
            self.warn(kind, warning)
        known = {} if before is None else {(reason, cause): number for reason, cause, number, _ in before["causes"]}
        for reason, cause, number, example in report["causes"]:
            self.caused(reason, cause, example, number - known.get((reason, cause), 0))

    def samples(self) -> Samples:
        """What ``report`` does not hold, for the metrics of another process to serve beside its own."""
        others = (family for family in self.registry.collect() if f"{family.name}_total" not in self._counters)
        return {
            family.name: [
                (sample.name, sample.labels, sample.value)
                for sample in family.samples
                if not sample.name.endswith("_created")
            ]
            for family in others
        }

    def collect(self) -> Iterator[Metric]:
        """Every family as Prometheus asks for it: over all processes of the run."""
        for family in self.registry.collect():
            sums = {(name, tuple(labels.items())): value for name, labels, value, *_ in family.samples}
            for samples in self.of_processes.values():
                for name, labels, value in samples.get(family.name, ()):
                    place = name, tuple(labels.items())
                    sums[place] = sums.get(place, 0) + value
            family.samples = [Sample(name, dict(labels), value) for (name, labels), value in sums.items()]
            yield family

    def records_without_event(self) -> int:
        """How many records were read, if none of them held an event; else 0."""
        records = self.total("latecomer_records_total")
        return records if records == self.value("latecomer_rejections_total", reason="INVALID") else 0

    def value(self, name: str, **labels: str) -> int:
        """What a counter stands at."""
        return int(self.registry.get_sample_value(name, labels) or 0)

    def total(self, name: str) -> int:
        """What a counter stands at, all its labels together."""
        samples = (sample for family in self._counters[name].collect() for sample in family.samples)
        return sum(int(sample.value) for sample in samples if sample.name == name)

    def by_cause(self) -> dict[str, int]:
        """Evaluations by cause."""
        return {cause: self.value("latecomer_evaluations_total", cause=cause) for cause in CAUSES}

    def by_reason(self) -> dict[str, int]:
        """Rejections by reason."""
        return {reason: self.value("latecomer_rejections_total", reason=reason) for reason in REASONS}


def _place(name: str, labels: dict[str, str], _: float) -> tuple[str, ...]:
    """What a count in a report is of."""
    return name, *sorted(labels.values())


def metric_names() -> dict[str, str]:
    """Every metric of a run and of a service, with what it is: names as they stand in front of ``_total`` and such."""
    return {
        family.name: family.documentation
        for registry in (Metrics().registry, ServiceMetrics().registry)
        for family in registry.collect()
    }
