"""Logs for the tests on a broker: small fleets with everything that goes wrong in one."""

from dataflows.pipeline.event_codec import EventCodec
from dataflows.simulated_fleet import SimulatedFleet
from window_core import WindowSpec

__all__ = ["SPEC", "SPEC_OPTIONS", "START_MS", "fleet_lines"]

START_MS = 1_600_000_000_000

SPEC = WindowSpec(interval_ms=600_000, tick_ms=60_000, idle_after_ms=300_000, forget_after_ms=900_000)

SPEC_OPTIONS = ("--interval", "10m", "--tick", "1m", "--idle-after", "5m", "--forget-after", "15m")
"""The same for a run."""

NOISE = (b"{", b"[]", b'{"device_id":"d"}', b"\xff", b"null", b'{"device_id":7}')


def fleet_lines(devices: int, minutes: int, seed: int = 1) -> bytes:
    """The lines of a file, in order of arrival, with some that are no event."""
    fleet = SimulatedFleet(
        devices, minutes * 60_000, 20_000, START_MS, SPEC.interval_ms, 0.1, 0.02, 0.05, 0.02, seed
    )  # fmt: skip
    encoded = EventCodec().encoded
    lines = [encoded(event, arrival_ms) for event, arrival_ms in fleet.logged_events()]
    for number, noise in enumerate(NOISE):
        lines.insert((number + 1) * len(lines) // (len(NOISE) + 1), noise)
    return b"\n".join(lines) + b"\n"
