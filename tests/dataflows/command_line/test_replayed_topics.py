"""A topic gives what a file with the same records gives, byte for byte, whichever command reads it again."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.dataflows.commands import latecomer_here, sample_log

if TYPE_CHECKING:
    from tests.dataflows.connectors.kafka.topics import Topics


def test_revise_compare_and_training_sets_are_the_same_of_a_topic(
    tmp_path: Path, topics: "Topics", services: tuple[str, ...]
) -> None:
    from tests.dataflows.connectors.kafka.topics import records_of

    data = sample_log(devices=3, hours=2, late=0.1)
    (tmp_path / "events.jsonl").write_bytes(data)
    records = records_of(data)
    log = topics.made()  # one partition: positions are those of the lines
    topics.fill(log, records)
    labels = "".join(f"device-000{number % 3},{records[50 * number][2]}\n" for number in range(3))
    (tmp_path / "labels.csv").write_text(f"device_id,time\n{labels}")

    def made(source: str, *arguments: str) -> bytes:
        asked = services[:2] if arguments[0] == "training-set" else services  # the features alone
        finished = latecomer_here(*arguments, "--input", source, *asked, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    for arguments, output in (
        (("compare", "--interval", "10m,1h", "--json", "--output", "d.jsonl"), "d.jsonl"),
        (("revise", "--interval", "1h", "--output", "r.jsonl", "--json"), "r.jsonl"),
        (("training-set", "--at", "labels.csv", "--interval", "1h", "--output", "t.csv"), "t.csv"),
        (("training-set", "--at", "labels.csv", "--interval", "1h", "--output", "t.csv", "--as-of"), "t.csv"),
    ):
        said, written = [], []
        for source in ("events.jsonl", log):
            said.append(made(source, *arguments))
            written.append((tmp_path / output).read_bytes())
        assert written[0] == written[1] != b"", arguments
        assert said[0] == said[1], arguments
