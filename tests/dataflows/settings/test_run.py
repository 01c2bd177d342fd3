"""All settings of a run: what makes sense only for several groups together, and the names of the options."""

from collections import Counter
from typing import Any

import pytest

from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from runtime.settings import flag_of, options_of

TOPIC = "kafka://localhost:9092/events"
EXACTLY_ONCE = {"engine": "flink", "input": TOPIC, "delivery": "exactly-once"}
SERVICES = {"features": "a:1", "inference": "a:2"}


def test_an_option_has_its_own_name() -> None:
    names = ("interval_ms", "batch_windows", "timeout_ms", "predictions", "folder", "metrics_port")
    flags = ["--interval", "--batch-windows", "--timeout", "--output", "--state", "--metrics-port"]
    assert [flag_of(RunSettings, name) for name in names] == flags


def test_no_two_options_share_a_name() -> None:
    options = list(options_of(RunSettings))
    for names in ([option.flag for option in options], [option.name for option in options]):
        assert not [name for name, times in Counter(names).items() if times > 1]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"parallelism": 0}, "--parallelism must be above 0"),
        ({"parallelism": 721}, "--parallelism must be at most 720"),
        ({"metrics_port": 65_536}, "--metrics-port must be a port"),
        ({"metrics_port": -1}, "--metrics-port must be a port"),
        ({"web_port": 65_536}, "--web-port must be a port"),
        ({"epoch_ms": 0}, "--epoch must be above 0"),
        ({"epoch_ms": 86_400_001}, "--epoch must be at most 1d"),
        ({"tls_ca": "a", **SERVICES, "features": None}, "--tls-ca needs --features"),
        ({"tls_ca": "a", **SERVICES, "inference": None}, "--tls-ca needs --inference"),
        ({**EXACTLY_ONCE, "engine": "bytewax"}, "--delivery exactly-once needs --engine flink"),
        ({**EXACTLY_ONCE, "input": "events.jsonl"}, "--delivery exactly-once is for Kafka"),
        ({**EXACTLY_ONCE, "epoch_ms": 300_001}, "--epoch must be at most 5m with --delivery exactly-once"),
        ({"features": "nowhere"}, "--features must be"),
        ({"interval_ms": 0}, "--interval must be"),
    ],
)
def test_settings_of_a_run_that_make_no_sense_are_refused_by_name(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        RunSettings.of(**values)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"parallelism": 720, "metrics_port": 0, "web_port": 65_535},
        {"epoch_ms": 86_400_000},
        {"tls_ca": "a", **SERVICES},
        {**EXACTLY_ONCE, "epoch_ms": 300_000},
    ],
)
def test_settings_of_a_run_that_go_together_are_taken(values: dict[str, Any]) -> None:
    assert RunSettings.of(**values)
