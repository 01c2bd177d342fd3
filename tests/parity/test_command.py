"""What ``latecomer parity`` refuses, and how it reads a log that somebody recorded."""

from pathlib import Path

import pytest

from tests.dataflows.commands import latecomer_here, one_line
from tests.parity.drawing import drawn_logs, drawn_sensors
from tests.parity.expected import expectation_of
from tests.parity.logs import as_lines, combined
from tests.parity.recorded import _placed as placed_by_the_reader
from window_core import DEMO_SENSORS, Sensors, WindowSpec

SPEC = WindowSpec(40, 7, 20, 80, 5, 6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sensors", "a,b,a?"], "--sensors: sensor a is named twice"),
        (["--sensors", "a b"], "--sensors: the name of a sensor is"),
        (["--sensors", ",".join(f"s{number}" for number in range(65))], "--sensors: there may be 64 sensors at most"),
        (["--sensors", "celsius,time"], "--sensors: an event has a field time that is no sensor"),
        (["--sensors", ""], "--sensors: "),
        (["--sensors", "a", "--features-from", "some:FEATURES"], "--features-from and --sensors need --model: "),
        (["--until", "5"], "--until needs --input"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = latecomer_here("parity", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert one_line(done.stderr).startswith(f"latecomer: {said}")


@pytest.mark.parametrize(
    "sensors", [DEMO_SENSORS, drawn_sensors(3, 2, 8)], ids=lambda sensors: f"{sensors.width} sensors"
)
def test_a_recorded_log_is_read_as_it_was_written(sensors: Sensors) -> None:
    data, placed = as_lines(combined(drawn_logs(30, 5, SPEC, sensors), SPEC, 10_000_000).log, sensors)
    read = placed_by_the_reader(data, sensors)
    assert [entry.event for entry in read] == [entry.event for entry in placed]
    assert expectation_of(read, SPEC, sensors).outputs == expectation_of(placed, SPEC, sensors).outputs
