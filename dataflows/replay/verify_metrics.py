"""What ``latecomer verify --follow`` found at its last look, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from dataflows.replay.verification import FAULTS, Verification

__all__ = ["VerifyMetrics"]


class VerifyMetrics:
    """The metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._looks = Counter("latecomer_verify_looks", "Times that log and outputs were compared", registry=registry)
        self._outputs = Gauge("latecomer_verify_outputs", "Outputs that are there", registry=registry)
        self._findings = Gauge("latecomer_verify_findings", "What was found among them", ["kind"], registry=registry)

    def tell(self, found: Verification) -> None:
        """The result of a look."""
        self._outputs.set(sum(found.seen.values()))
        for kind in ("repeats", "pending", *FAULTS):
            self._findings.labels(kind).set(getattr(found, kind).count)
        self._looks.inc()
