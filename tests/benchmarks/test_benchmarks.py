"""Each benchmark runs, on little: what it measures here means nothing.

That of Kafka is not among them: a dozen runs, most of them of Flink, take minutes on any load.
"""

import shutil

import pytest

from benchmarks import core, feature_service, formats, models, pipeline, replays, secured_services, training_sets
from dataflows.services.java import services_jar
from dataflows.simulated_fleet import SimulatedFleet

SHORT_S = 0.05


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services in Java, which need not be warm."""
    monkeypatch.setattr(secured_services, "_WARM_UP_S", dict.fromkeys(("python", "java"), SHORT_S))
    monkeypatch.setattr(secured_services, "_ROUNDS", 1)
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on the PATH: install a JDK 17 and Maven")
    services_jar()


def test_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "EVENTS", 2_000)
    monkeypatch.setattr(core, "ROUNDS", 1)
    assert all(core.main().values())


def test_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HELD": (300, 3_000), "STREAM_EVENTS": 30_000, "STREAM_MESSAGES": 5}.items():
        monkeypatch.setattr(feature_service, name, value)
    assert all(feature_service.main(SHORT_S).values())


def test_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DEVICES": 4, "NEW": {"stream": 200, "unary": 20}, "ROUNDS": 1}.items():
        monkeypatch.setattr(pipeline, name, value)
    assert pipeline.main().keys() == {"stream", "unary"}


def test_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "EVENTS", 3_000)
    monkeypatch.setattr(formats, "ROUNDS", 1)
    assert len(formats.main()) == 4


def test_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATECOMER_TEST_TRIALS", raising=False)  # the tests of MLServer have their own
    monkeypatch.setattr(models, "_FLEET", SimulatedFleet(devices=5, duration_ms=57_600_000))
    monkeypatch.setattr(models, "_FULL_AFTER", 1_500)
    monkeypatch.setattr(models, "_AT_ONCE", 256)
    monkeypatch.setattr(models, "_ROUNDS", 1)
    assert all(models.main().values())


@pytest.mark.parametrize("bench", [replays, training_sets])
def test_log_read_again(bench: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "DEVICES", 5)
    monkeypatch.setattr(bench, "HOURS", 12)
    assert all(bench.main().values())  # type: ignore[attr-defined]


def test_languages(java: None) -> None:
    assert all(secured_services.languages(SHORT_S).values())


def test_security(java: None) -> None:
    assert all(secured_services.security(SHORT_S).values())
