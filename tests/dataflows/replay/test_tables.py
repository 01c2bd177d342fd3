"""Outputs as tables: the same from lines, from a file of lines and from Parquet."""

from pathlib import Path

import polars as pl
import pytest

from dataflows.connectors.parquet import written_as_parquet
from dataflows.pipeline.first_records import InputError
from dataflows.replay.tables import predictions_file, predictions_table, rejections_file, rejections_table

PREDICTIONS = (
    b'{"evaluation_id":"a/1000/0","device_id":"a","cause":"event","position":"0/0","event_ms":999,"as_of_ms":1000,'
    b'"newest_ms":999,"oldest_ms":999,"events":1,"features":{"mean_x/v1":1.5},"model_id":"m/v1","result":{"p":"0.25"}}',
    b'{"evaluation_id":"a/1000/1","device_id":"a","cause":"tick","position":null,"event_ms":null,"as_of_ms":2000,'
    b'"newest_ms":999,"oldest_ms":999,"events":1,"features":{"mean_x/v1":2.5},"model_id":"m/v1","result":{"p":"0.5"}}',
)
REJECTIONS = (
    b'{"device_id":"a","reason":"TOO_LATE","position":"0/1","arrival_ms":1500,"late_by_ms":7,"event":{"time":3,"x":1.0}}',
    b'{"device_id":null,"reason":"INVALID","position":"0/2","arrival_ms":null,"error":"key","field":null,"size":1,'
    b'"sha256":"00","raw":"AA=="}',
)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_file_gives_the_table_of_its_lines(tmp_path: Path, ending: str) -> None:
    for lines, table_of, file_of in (
        (PREDICTIONS, predictions_table, predictions_file),
        (REJECTIONS, rejections_table, rejections_file),
    ):
        path = tmp_path / f"{file_of.__name__}.{ending}"
        written = tmp_path / "lines"
        written.write_bytes(b"".join(line + b"\n" for line in lines))
        if ending == "parquet":
            written_as_parquet(written, path)
        else:
            written.rename(path)
        assert file_of(str(path)).equals(table_of(lines))


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_file_of_a_run_without_outputs_is_a_table_without_rows(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"outputs.{ending}"
    if ending == "parquet":
        pl.DataFrame().write_parquet(path)
    else:
        path.touch()
    assert predictions_file(str(path)).equals(predictions_table([]))
    assert rejections_file(str(path)).equals(rejections_table([]))


def test_a_feature_named_as_a_column_keeps_both() -> None:
    line = PREDICTIONS[0].replace(b'"mean_x/v1":1.5', b'"events":1.5,"as_of":2.5,"p":3.5')
    table = predictions_table([line])
    assert table.select("events", "features.events", "features.as_of", "p", "result.p").rows() == [
        (1, 1.5, 2.5, 3.5, 0.25)
    ]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_file_of_something_else_is_said_in_one_line(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"outputs.{ending}"
    path.write_text("PAR1 or lines?\n")
    with pytest.raises(InputError, match=f"{path} holds no outputs of a run, or was cut: ") as told:
        predictions_file(str(path))
    assert "\n" not in str(told.value)
