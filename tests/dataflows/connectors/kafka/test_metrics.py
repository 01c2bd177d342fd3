"""Every metric on the page about metrics exists where the page says, with its type and labels, and no other does."""

import re
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dataflows.flink_job.installation import check_installation
from dataflows.pipeline.metrics import metric_names
from runtime.errors import SettingsError
from tests.conftest import ROOT
from tests.dataflows.commands import latecomer
from tests.dataflows.connectors.kafka.live_runs import GIVE_UP_S, run_with_metrics, services_with_metrics
from tests.dataflows.connectors.kafka.logs import NOISE, fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.dataflows.misbehaving import Status, misbehaving

ROW = re.compile(r"^\| `(latecomer\w+)` \| (\w+) \| (.*?)\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


class Metric(NamedTuple):
    kind: str
    labels: frozenset[str]


class Documented(NamedTuple):
    metric: Metric
    meaning: str
    where: str


def documented() -> dict[str, Documented]:
    found = {}
    for name, kind, labels, meaning, where in ROW.findall((ROOT / "docs" / "metrics.md").read_text()):
        metric = Metric(kind, frozenset(re.findall(r"`(\w+)`", labels)))
        found[name.removesuffix("_total")] = Documented(metric, meaning, where)
    return found


PAGE = documented()


def test_the_page_has_every_metric_of_the_code_and_its_words() -> None:
    assert {name: entry.meaning for name, entry in PAGE.items()} == metric_names()


def scraped(address: str) -> dict[str, Metric]:
    """The metrics that a process serves: of those with labels, those with a sample."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        if family.name.startswith("latecomer") and samples:
            labels = frozenset(label for sample in samples for label in sample.labels) - {"le"}
            found[family.name] = Metric(family.type, labels)
    return found


def expected(place: str) -> dict[str, Metric]:
    return {name: entry.metric for name, entry in PAGE.items() if place in entry.where.split(", ")}


@pytest.mark.parametrize("engine", ["bytewax", "flink"])
def test_a_run_serves_what_the_page_says(
    engine: str, topics: Topics, features_address: str, inference_address: str
) -> None:
    if engine == "flink":
        try:
            check_installation()
        except SettingsError as error:
            pytest.skip(str(error))
    log, output, rejections = topics.made(2), topics.made(), topics.made()
    topics.fill(log, records_of(fleet_lines(devices=5, minutes=30)))
    wanted = expected("Bytewax" if engine == "bytewax" else "Flink")
    if engine == "bytewax":
        wanted |= expected("Bytewax on Kafka")
    with misbehaving(
        features_address, lambda name, request, number: Status.UNAVAILABLE if number == 0 else None
    ) as bad:
        options = ("--engine", engine, "--interval", "10m", "--tick", "1m")
        with run_with_metrics(log, output, rejections, bad.address, inference_address, *options) as address:
            topics.records(rejections, lambda messages: len(messages) >= len(NOISE))
            topics.records(output, lambda messages: len(messages) >= 100)
            assert served(address, wanted) == wanted


def served(address: str, wanted: dict[str, Metric]) -> dict[str, Metric]:
    """What is served, once everything that is wanted has been counted."""
    give_up_s = monotonic() + GIVE_UP_S
    while not (found := scraped(address)).keys() >= wanted.keys() and monotonic() < give_up_s:
        sleep(0.05)
    return found


def test_the_services_serve_what_the_page_says(tmp_path: Path) -> None:
    with services_with_metrics() as (addresses, ports):
        assert latecomer("ask", *addresses, cwd=tmp_path).returncode == 0
        wanted = expected("services")
        for port in ports:
            assert served(f"http://localhost:{port}/metrics", wanted) == wanted
