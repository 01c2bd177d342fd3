"""Events in another form than ours are the same events on both engines."""

import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest
import zstandard

from tests.dataflows.commands import latecomer, sample_log

pytestmark = pytest.mark.usefixtures("has_flink")

OPTIONS = ("--fields", "device_id=asset,time=at.s,sensor2=t2,arrival=in", "--time-unit", "s")


def other_form(line: bytes) -> bytes:
    """An event of ours under other names, with its times in seconds."""
    event = json.loads(line)
    asset, time_s, arrival_s = event["device_id"], event["time"] / 1000, event["arrival"] / 1000
    readings = {"sensor1": event["sensor1"], "t2": event["sensor2"], "sensor3": event["sensor3"]}
    other = {"asset": asset, "at": {"s": time_s}, **readings, "sensor4": event["sensor4"], "in": arrival_s}
    return json.dumps(other).encode()


def test_events_in_another_form_give_the_same_predictions_on_both_engines(
    features_address: str, inference_address: str, tmp_path: Path
) -> None:
    own = sample_log(devices=3, hours=2)
    (tmp_path / "own.jsonl").write_bytes(own)
    (tmp_path / "other.jsonl").write_bytes(b"\n".join(map(other_form, own.splitlines())) + b'\n{"asset":"d"}\n')
    services = ("--features", features_address, "--inference", inference_address)
    written = []
    for engine, name, options in (
        ("bytewax", "own", ()),
        ("bytewax", "other", OPTIONS),
        ("flink", "other", OPTIONS),
    ):
        places = ("--input", f"{name}.jsonl", "--output", "p.jsonl", "--rejections", "r.jsonl")
        done = latecomer("run", "--engine", engine, *services, *places, *options, cwd=tmp_path)
        assert done.returncode == 0, done
        rejections = (tmp_path / "r.jsonl").read_bytes().splitlines()
        invalid = [json.loads(line)["field"] for line in rejections if b'"INVALID"' in line]
        written.append((sorted((tmp_path / "p.jsonl").read_bytes().splitlines()), invalid))
    assert len(written[0][0]) > 100
    assert written[0] == (written[1][0], [])
    assert written[1] == (written[2][0], ["at.s"])
    assert written[2][1] == ["at.s"]


def test_tables_give_the_same_predictions_on_both_engines(
    features_address: str, inference_address: str, tmp_path: Path
) -> None:
    table = pl.read_ndjson(sample_log(devices=3, hours=2))
    (tmp_path / "own.jsonl").write_bytes(table.write_ndjson().encode())
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table.write_csv().encode() + b"d,x\n"))
    (tmp_path / "a.tsv.zst").write_bytes(zstandard.compress(table.write_csv(separator="\t").encode()))
    table.write_parquet(tmp_path / "a.parquet")
    services = ("--features", features_address, "--inference", inference_address)
    written = {}
    for engine, name in (
        ("bytewax", "own.jsonl"),
        *((engine, f"a.{kind}") for kind in ("csv.gz", "tsv.zst", "parquet") for engine in ("bytewax", "flink")),
    ):
        places = ("--input", name, "--output", "p.jsonl", "--rejections", "r.jsonl")
        done = latecomer("run", "--engine", engine, *services, *places, cwd=tmp_path)
        assert done.returncode == 0, done
        outputs = (tmp_path / "p.jsonl").read_bytes().splitlines(), (tmp_path / "r.jsonl").read_bytes().splitlines()
        written[engine, name] = sorted(outputs[0]), sorted(outputs[1])
    assert len(written["bytewax", "own.jsonl"][0]) > 100
    for kind in ("csv.gz", "tsv.zst", "parquet"):
        assert written["bytewax", f"a.{kind}"] == written["flink", f"a.{kind}"]
    assert written["bytewax", "a.parquet"] == written["bytewax", "own.jsonl"]
    for kind, header, invalid in (("csv.gz", 1, 1), ("tsv.zst", 1, 0)):
        predictions, rejections = written["bytewax", f"a.{kind}"]
        own, own_rejections = written["bytewax", "own.jsonl"]
        assert sorted(moved(line, header) for line in own) == predictions
        assert len(rejections) == len(own_rejections) + invalid


def moved(line: bytes, lines: int) -> bytes:
    """A prediction of an event that stands so many lines further on."""
    return re.sub(rb'"position":"0/(\d+)"', lambda found: b'"position":"0/%d"' % (int(found[1]) + lines), line)
