"""Outputs are taken as they are written: whole, once, and from the start where a run writes them anew."""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from dataflows.pipeline.output_codec import encoded_row
from dataflows.replay.written_outputs import FollowedOutputs
from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from tests.dataflows.browser.test_fleet import prediction, rejection

if TYPE_CHECKING:
    from tests.dataflows.connectors.kafka.topics import Topics

ONE, TWO, THREE = (prediction("a", seq, 10 * seq) for seq in range(3))
REJECTED = rejection("a", 9, 50, "DUPLICATE", event={"time": 1})


def followed(predictions: object) -> FollowedOutputs:
    return FollowedOutputs(RunSettings.of(predictions=str(predictions)), print)


def test_a_line_is_taken_once_and_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    outputs = followed(path)
    assert list(outputs.new()) == []
    with path.open("wb") as file:
        file.write(ONE + b"\n" + TWO[:20])
        file.flush()
        assert list(outputs.new()) == [("predictions", ONE)]
        assert list(outputs.new()) == []
        file.write(TWO[20:] + b"\n")
        file.flush()
        (tmp_path / "rejections.jsonl").write_bytes(REJECTED + b"\n")
        assert list(outputs.new()) == [("predictions", TWO), ("rejections", REJECTED)]
    assert not outputs.are_anew()


@pytest.mark.parametrize("replaced", [False, True])
def test_outputs_that_are_written_anew_are_read_from_the_start(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(ONE + b"\n" + TWO + b"\n")
    (tmp_path / "rejections.jsonl").write_bytes(REJECTED + b"\n")
    outputs = followed(path)
    assert len(list(outputs.new())) == 3
    if replaced:
        (tmp_path / "other").write_bytes(THREE + b"\n" + TWO + b"\n" + ONE + b"\n")
        (tmp_path / "other").rename(path)
    else:
        path.write_bytes(THREE + b"\n")
    assert outputs.are_anew()
    assert not outputs.are_anew()
    assert [line for _, line in outputs.new()][:: 3 if replaced else 1] == [THREE, REJECTED]


def test_parquet_is_read_once_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    outputs = followed(path)
    assert list(outputs.new()) == []
    table = pl.read_ndjson(ONE)
    table.write_parquet(path)
    assert list(outputs.new()) == [("predictions", encoded_row(table.row(0, named=True)))]
    assert list(outputs.new()) == []


def test_a_topic_is_read_from_its_start_and_on(topics: "Topics") -> None:
    predictions, rejections = topics.made(partitions=2), topics.made()
    settings = RunSettings.of(predictions=predictions, rejections=rejections)
    topics.fill(predictions, [(b"a", ONE, 1)])
    outputs = FollowedOutputs(settings, print)
    assert list(outputs.new()) == [("predictions", ONE)]
    topics.fill(predictions, [(b"a", TWO, 2), (b"a", THREE, 3)])
    topics.fill(rejections, [(b"a", REJECTED, 4)])
    assert list(outputs.new()) == [("predictions", TWO), ("predictions", THREE), ("rejections", REJECTED)]
    assert list(outputs.new()) == []


def test_standard_output_is_refused() -> None:
    with pytest.raises(SettingsError, match="standard output cannot be read"):
        FollowedOutputs(RunSettings.of(predictions="-", rejections="r.jsonl"), print)
