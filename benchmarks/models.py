"""Our own model beside models in ONNX files, and one on a real MLServer: windows a second through both services.

The same windows, full ones of many devices, are asked about on streams. MLServer is measured where
``LATECOMER_TEST_TRIALS`` is set, as for the tests: in batches of several sizes, and killed in the midst.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Final

from prometheus_client.samples import Sample

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Prediction
from dataflows.services.client import ServiceClient, Services
from dataflows.services.embedded import embedded_service
from dataflows.settings import RunSettings
from dataflows.simulated_fleet import SimulatedFleet
from window_core import DeviceWindow, Evaluation, WindowSpec

if TYPE_CHECKING:
    from tests.dataflows.ml_server import MlServer

__all__ = ["main"]

_FOLDER: Final = Path(__file__).parents[1] / "tests" / "models"
_ONNX: Final = {
    "logistic": "logistic regression, scikit-learn",
    "boosted": "boosted trees, scikit-learn",
    "xgboost": "boosted trees, XGBoost",
    "lightgbm": "boosted trees, LightGBM",
    "network": "network, scikit-learn",
    "torch": "network, in PyTorch's form",
}

_FLEET: Final = SimulatedFleet(devices=50, duration_ms=57_600_000, late=0.0, too_late=0.0, wrong_clock=0.0)
_FULL_AFTER: Final = 15_000
"""Events of the fleet that fill the windows, 300 each; those behind them are measured."""

_AT_ONCE: Final = 1_024
_ROUNDS: Final = 3

_BATCHES: Final = (1, 64, 1_024)
_LOOK_EVERY_S: Final = 0.001


def main() -> dict[str, float]:
    """Print windows/s of each model, and give them."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would tell that MLServer has no health service
    evaluations = _evaluations()
    rates: dict[str, float] = {}
    print(f"models: {len(evaluations):,} windows of {evaluations[-1].events} events, both services, best of {_ROUNDS}")
    with embedded_service("features") as features:
        with embedded_service("inference") as inference:
            rates["own"] = _rate(features, inference, evaluations)
        _show("our logistic regression", rates["own"], rates["own"])
        for name, text in _ONNX.items():
            with embedded_service("inference", "--model", str(_FOLDER / f"{name}.onnx")) as inference:
                rates[name] = _rate(features, inference, evaluations)
            _show(f"ONNX: {text}", rates[name], rates["own"])
        if "LATECOMER_TEST_TRIALS" in os.environ:
            with _ml_server() as server:
                rates["mlserver"] = _rate(features, f"oip://{server.address}/drift", evaluations)
                _show("MLServer: our regression in NumPy", rates["mlserver"], rates["own"])
                _show_batches(features, server, evaluations)
    return rates


def _show_batches(features: str, server: "MlServer", evaluations: list[Evaluation]) -> None:
    """Print what batches of each size take, without a fault and with a kill once a third is answered."""
    print(f"  MLServer: {'windows/s':>20}{'batches':>10}{'retries':>10}{'refused':>10}{'lost':>8}")
    for size in _BATCHES:
        for is_killed in (False, True):
            asked = evaluations[: _AT_ONCE * (2 if size == 1 else 12)]
            metrics, answers = Metrics(), list[object]()
            services = Services(features, f"oip://{server.address}/drift")
            with closing(ServiceClient(services, RunSettings.of(attempts=20, batch_windows=size), metrics)) as client:
                start_s = perf_counter()
                restart = Thread(target=_restart, args=(server, answers, len(asked) // 3))
                if is_killed:
                    restart.start()
                for first in range(0, len(asked), size):
                    answers += client.answers(asked[first : first + size])
                seconds = perf_counter() - start_s
                if is_killed:
                    restart.join()
            refused = sum(not isinstance(answer, Prediction) for answer in answers)
            batches = metrics.registry.get_sample_value("latecomer_call_seconds_count", {"service": "inference"}) or 0
            name = f"batches of {size:,}" + (", killed" if is_killed else "")
            retried = sum(sample.value for sample in _samples(metrics) if sample.name == "latecomer_retries_total")
            print(
                f"    {name:<26}{len(asked) / seconds:>10,.0f}{batches:>10,.0f}{retried:>10,.0f}{refused:>10,}"
                f"{len(asked) - len(answers):>8,}"
            )


def _samples(metrics: Metrics) -> Iterator[Sample]:
    return (sample for family in metrics.registry.collect() for sample in family.samples)


def _restart(server: "MlServer", answers: list[object], after: int) -> None:
    while len(answers) < after:
        sleep(_LOOK_EVERY_S)
    server.kill()
    server.start()


def _show(name: str, rate: float, own: float) -> None:
    print(f"  {name:<42}{rate:>10,.0f} windows/s{rate / own:>8.2f} x our own model")


def _evaluations() -> list[Evaluation]:
    windows: dict[str, DeviceWindow] = {}
    found: list[Evaluation] = []
    for number, (event, arrival_ms) in enumerate(_FLEET.logged_events()):
        window = windows.setdefault(event.device_id, DeviceWindow(WindowSpec(tick_ms=0), event.device_id))
        outputs = window.on_event(event, arrival_ms)
        if number >= _FULL_AFTER:
            found += [output for output in outputs if isinstance(output, Evaluation)]
    return found


def _rate(features: str, inference: str, evaluations: list[Evaluation]) -> float:
    """Windows a second, the best of some rounds; each is a client of its own, whose streams have nothing at first."""
    best = 0.0
    settings = RunSettings.of(attempts=20)
    for _ in range(_ROUNDS):
        with closing(ServiceClient(Services(features, inference), settings, Metrics())) as client:
            client.answers(evaluations[:_AT_ONCE])
            start_s = perf_counter()
            for first in range(_AT_ONCE, len(evaluations), _AT_ONCE):
                answers = client.answers(evaluations[first : first + _AT_ONCE])
                assert all(isinstance(answer, Prediction) for answer in answers)
            best = max(best, (len(evaluations) - _AT_ONCE) / (perf_counter() - start_s))
    return best


@contextmanager
def _ml_server() -> Iterator["MlServer"]:
    from tests.dataflows.ml_server import MlServer, environment
    from tests.interop.page import free_ports

    with TemporaryDirectory() as folder:
        server = MlServer(environment(), Path(folder) / "models", list(free_ports("123").values()))
        server.start()
        try:
            yield server
        finally:
            server.kill()
