"""A real Prometheus scrapes a run and both services, loads the alerts, and answers every query of the dashboard."""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import yaml

from tests.dataflows.connectors.kafka.live_runs import (
    GIVE_UP_S,
    free_ports,
    run_with_metrics,
    services_with_metrics,
)
from tests.dataflows.connectors.kafka.logs import fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.deploy.monitoring.rules import ALERTS, queries, written_rules


class Prometheus:
    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **parameters: str) -> Any:
        url = f"{self._api}/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def values(self, query: str) -> list[float]:
        """The newest value of each series."""
        found = self.get("query", query=query.replace("$__rate_interval", "30s"))["result"]
        return [float(series["value"][1]) for series in found]

    def wait_for(self, query: str) -> list[float]:
        """Its values, once there are any; AssertionError with the query if there are none in time."""
        give_up_s = monotonic() + GIVE_UP_S
        while monotonic() < give_up_s:
            try:
                if values := self.values(query):
                    return values
            except (urllib.error.URLError, ConnectionError):
                pass  # it is coming up
            sleep(0.2)
        raise AssertionError(f"no value of {query}")


@contextmanager
def running_prometheus(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    command = shutil.which("prometheus")
    if command is None:
        pytest.skip("Prometheus is missing: install Debian's package prometheus")
    [port] = free_ports(1)
    configuration = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
        "rule_files": [str(written_rules(folder))],
        "scrape_configs": [{"job_name": "latecomer", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    options = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    with subprocess.Popen(
        [command, *options, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stdin=subprocess.DEVNULL
    ) as process:
        try:
            yield Prometheus(port)
        finally:
            process.terminate()
            process.wait(GIVE_UP_S)


def test_prometheus_answers_every_query_of_the_dashboard(topics: Topics, tmp_path: Path) -> None:
    log, output, rejections = topics.made(2), topics.made(), topics.made()
    records = records_of(fleet_lines(devices=5, minutes=30))
    topics.fill(log, records)
    with services_with_metrics() as (services, ports):
        options = ("--interval", "10m", "--tick", "1m")
        with run_with_metrics(log, output, rejections, *services, *options) as address:
            targets = [f"localhost:{port}" for port in ports] + [address.split("/")[2]]
            with running_prometheus(tmp_path, targets) as prometheus:
                prometheus.wait_for(f"sum(latecomer_records_total) == {len(records)}")
                for _title, query in queries():
                    # What has not occurred has no series: a retry, or a late event.
                    if "flink_" not in query and "retries" not in query:
                        prometheus.wait_for(query)  # a rate needs two scrapes of each target
                prometheus.wait_for("sum(latecomer_lag_records) == 0")
                groups = prometheus.get("rules")["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert rules.keys() == ALERTS.keys()
    assert {rule["health"] for rule in rules.values()} == {"ok"}
