"""The evaluations of some devices whose events come in order, late, twice or after a long silence."""

from hypothesis import strategies as st

from window_core import DeviceWindow, Evaluation, Event, Sensors, WindowSpec

__all__ = ["STEPS", "Step", "fleet"]

SPEC = WindowSpec(interval_ms=2_000, tick_ms=700, idle_after_ms=3_000, forget_after_ms=9_000, max_ahead_ms=1_000_000)

Step = tuple[int, int, int]
"""Of a fleet: the device, how far its event is ahead of the clock, and how far the clock goes then, in ms."""

STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-1_500, 400), st.sampled_from([1, 5, 50, 4_000, 12_000])), max_size=150
)


def fleet(steps: list[Step], sensors: Sensors) -> list[Evaluation]:
    """The evaluations of some devices: in order, late, by ticks, anew after they were forgotten."""
    windows: dict[str, DeviceWindow] = {}
    outputs: list[Evaluation] = []
    now_ms = 20_000
    for number, (device, ahead_ms, pause_ms) in enumerate(steps):
        device_id = f"d{device}"
        window = windows.setdefault(device_id, DeviceWindow(SPEC, device_id))
        event = Event(device_id, now_ms + ahead_ms, _row(number, sensors))
        outputs += [one for one in window.on_event(event, now_ms) if isinstance(one, Evaluation)]
        now_ms += pause_ms
    return outputs


def _row(number: int, sensors: Sensors) -> bytes:
    """Readings that differ from event to event; an optional one is there now and then."""
    readings = [number + place / 4 for place in range(sensors.width)]
    absent = [is_optional and number % 3 for is_optional in sensors.optional]
    return sensors.row([None if gone else one for one, gone in zip(readings, absent, strict=True)])
