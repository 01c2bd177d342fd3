"""Any client with any servers, by any kind of call, plain and over TLS: the same features and the same scores."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from dataflows.services.calls import Service
from tests.interop.commands import python_ask
from tests.interop.conftest import Access, JavaClient
from tests.interop.windows import expected, generated, lines_of

LANGUAGES = ("python", "java")
WAYS = ("unary", "batch", "stream")
CHANNELS = ("plain", "tls")
MODELS = {"python": "log_reg_model/v2", "java": "log_reg_model/v1"}

MANY, FEW = (20_000, 5_000) if os.environ.get("LATECOMER_HYPOTHESIS") == "thorough" else (2_000, 300)
"""Windows in batches, and how many of them one at a time."""

DEMO = {
    "device_id": "device_123",
    "features": {
        "sensor_1/v1": 0.48174312710762024,
        "sensor_2/v1": 0.5036365389823914,
        "sensor_3/v1": 0.5041427612304688,
        "sensor_4/v1": 0.4926997423171997,
    },
    "result": {"logistic_regression_result": "0.515127767"},
}
"""As measured on the original demo's input, and as exact arithmetic gives it."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, list[dict[str, Any]]]]:
    """By number of windows: a file of them, and what has to be answered."""
    folder = tmp_path_factory.mktemp("windows")
    windows = list(generated(MANY))
    answers = [{"device_id": window["device_id"], **expected(window)} for window in windows]
    found = {}
    for number in (MANY, FEW):
        middle = slice((MANY - number) // 2, (MANY + number) // 2)  # the largest is among the few
        path = folder / f"{number}.jsonl"
        path.write_text(lines_of(windows[middle]))
        found[number] = path, answers[middle]
    return found


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, ...], float]]:
    """Seconds of each cell that held, printed at the end."""
    cells: dict[tuple[str, ...], float] = {}
    start = perf_counter()
    yield cells
    seconds = perf_counter() - start
    heads = [f"{channel if channel == 'plain' else 'TLS+gzip'} {way}" for channel in CHANNELS for way in WAYS]
    rows = [f"{'client, features, inference':<30}" + "".join(f"{head:>18}" for head in heads)]
    for line in sorted({cell[:3] for cell in cells}):
        shown = [cells.get((*line, channel, way)) for channel in CHANNELS for way in WAYS]
        times = ["" if one is None else f"ok {one:.1f} s" for one in shown]
        rows.append(f"{', '.join(line):<30}" + "".join(f"{one:>18}" for one in times))
    rows.append(f"{len(cells)} cells, {MANY} windows in batches and {FEW} one at a time in each: {seconds:.0f} s")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join(rows))


def canonical(value: dict[str, Any]) -> str:
    """As text, where -0.0 is not 0.0."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("inference", LANGUAGES)
@pytest.mark.parametrize("features", LANGUAGES)
@pytest.mark.parametrize("client", LANGUAGES)
def test_any_client_gets_the_same_from_any_servers(
    client: str,
    features: str,
    inference: str,
    way: str,
    channel: str,
    servers: dict[tuple[str, str, str], str],
    java_client: JavaClient,
    access: Access,
    asked: dict[int, tuple[Path, list[dict[str, Any]]]],
    table: dict[tuple[str, ...], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "stream":  # the client of the pipeline asks in batches what a stream did not answer: here it must not
        monkeypatch.delattr(Service, "call")
    start = perf_counter()
    ask_once = python_ask if client == "python" else java_client.ask
    arguments = [servers[features, "features", channel], servers[inference, "inference", channel], "--rpc", way]
    if channel == "tls":
        arguments += [*access.client_arguments(), "--compression", "gzip"]
    model = {"model_id": MODELS[inference]}
    assert json.loads(ask_once(*arguments, "--json")) == DEMO | model
    path, answers = asked[FEW if way == "unary" else MANY]
    lines = ask_once(*arguments, "--input", str(path)).splitlines()
    assert len(lines) == len(answers)
    for line, answer in zip(lines, answers, strict=True):
        assert canonical(json.loads(line)) == canonical(answer | model)
    table[client, features, inference, channel, way] = perf_counter() - start
