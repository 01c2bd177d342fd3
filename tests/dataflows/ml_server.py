"""A real MLServer in an environment of its own, with the model of ``mlserver_models``.

``LATECOMER_TEST_TRIALS=1`` makes the environment of ``requirements/trials.txt`` in ``target`` on first use: 84
packages, some 45 s of one core. As a folder it names an environment that has them.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.environments import made_environment, place_of

__all__ = ["MlServer", "environment"]

VARIABLE = "LATECOMER_TEST_TRIALS"
MODELS = Path(__file__).parent / "mlserver_models"


def environment() -> Path:
    """The folder of an environment with MLServer, scikit-learn and data sets; without one the test is skipped."""
    told = os.environ.get(VARIABLE, "")
    if told not in ("", "1"):
        return Path(told)
    if not told and not (place_of("trials") / "complete").is_file():
        pytest.skip(f"{VARIABLE} is not set: 1 installs requirements/trials.txt into target")
    try:
        return made_environment("trials")
    except subprocess.CalledProcessError:
        pytest.skip("requirements/trials.txt cannot be installed here")


class MlServer:
    """One on free ports, to be killed and started again on the same ones."""

    def __init__(self, environment: Path, folder: Path, ports: list[str]) -> None:
        self._environment = environment
        self._folder = folder
        http, grpc, metrics = map(int, ports)
        settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
        folder.mkdir()
        (folder / "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0}))
        (folder / "drift").symlink_to(MODELS / "drift")
        self.address = f"127.0.0.1:{grpc}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(self._environment / "bin" / "mlserver")
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "start", str(self._folder)], cwd=self._folder, env=variables, stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
