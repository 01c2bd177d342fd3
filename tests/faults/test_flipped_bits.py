"""A state with a flipped bit is refused, or goes on as if nothing had happened."""

import shutil
from pathlib import Path
from random import Random

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.figures import OTHERS
from tests.faults.watched_run import WatchedRun


def test_a_flipped_bit_costs_no_output(
    engine: str, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    random, refused = Random(OTHERS), 0
    with WatchedRun(engine, topics, kafka_pipelines, tmp_path, times=OTHERS) as run:
        for _ in range(OTHERS):
            run.feed()
            assert run.bounded()[0] == 0
            shutil.copytree(run.state, tmp_path / "whole")
            flip(run.state, random)
            run.feed()
            if run.bounded()[0] != 0:
                refused += 1
                shutil.rmtree(run.state)
                shutil.copytree(tmp_path / "whole", run.state)
            shutil.rmtree(tmp_path / "whole")
        run.judge(f"{engine}: a bit of the state flipped ({refused} refused)", OTHERS, may_repeat=True)


def flip(state: Path, random: Random) -> None:
    """One bit of what the next run reads."""
    savepoints = state / "savepoints"
    folder = max(savepoints.iterdir(), key=lambda path: path.stat().st_mtime) if savepoints.is_dir() else state
    names = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".json"]
    path = random.choice([path for path in names if path.stat().st_size])
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)
