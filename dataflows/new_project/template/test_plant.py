"""Both engines write the same bytes with our feature and our model. Run it with: python3 test_plant.py."""

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SENSORS = "celsius,vibration,door?"


def run(*arguments: str) -> None:
    subprocess.run(f"LATECOMER {' '.join(arguments)}", shell=True, cwd=HERE, check=True)


def test_the_worn_pump_is_found() -> None:
    run("run --config plant.toml --quiet")
    lines = (HERE / "output" / "predictions.jsonl").read_text().splitlines()
    worn = {line["device_id"] for line in map(json.loads, lines) if line["result"]["wear"] == "high"}
    assert worn == {"pump-2"}


def test_both_engines_give_the_same_bytes() -> None:
    plug_ins = "--features-from plant:FEATURES --model plant:wear"
    run(f"parity --sensors '{SENSORS}' {plug_ins} --interval 1h --examples 20")


if __name__ == "__main__":
    test_the_worn_pump_is_found()
    test_both_engines_give_the_same_bytes()
