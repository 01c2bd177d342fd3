"""A Flink cluster on this machine, of the processes that Flink ships: a job manager, task managers of one slot."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import Request, urlopen

import yaml

from tests.conftest import ROOT

__all__ = ["Cluster", "running_cluster"]

GIVE_UP_S = 60


class Cluster:
    """Started with ``running_cluster``.

    Attributes:
        environment: of all its processes, and of ``flink``.
        page: the address of its web page.
        task_managers: those that were started.
    """

    def __init__(self, folder: Path) -> None:
        spec = find_spec("pyflink")
        assert spec is not None
        assert spec.origin is not None
        self._flink = Path(spec.origin).parent
        self._folder = folder
        rpc, rest = _free_ports(2)
        self.page = f"http://127.0.0.1:{rest}"
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # an environment that is active
            "PYTHONPATH": str(ROOT),  # as if the package were installed
            "FLINK_CONF_DIR": str(self._conf(rpc, rest)),
            "FLINK_LIB_DIR": str(self._lib()),
            "FLINK_LOG_DIR": str(folder / "log"),
            "FLINK_PID_DIR": str(folder),
        }
        self._job_manager = self._started("jobmanager.sh")
        self.task_managers: list[subprocess.Popen[bytes]] = []

    def add_task_manager(self) -> None:
        self.task_managers.append(self._started("taskmanager.sh"))

    def kill_a_task_manager(self) -> None:
        process = self.task_managers.pop(0)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait_for(self, task_managers: int) -> None:
        """Wait until so many have registered."""
        give_up_s = monotonic() + GIVE_UP_S
        while self._asked("/overview").get("taskmanagers") != task_managers:
            assert monotonic() < give_up_s, self._logs()
            sleep(0.1)

    def flink(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run ``flink`` to its end."""
        return subprocess.run(
            [str(self._flink / "bin" / "flink"), *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def running_job(self) -> str:
        """The id of the only job that runs."""
        [job] = [job["id"] for job in self._asked("/jobs")["jobs"] if job["status"] == "RUNNING"]
        return job

    def was_restarted(self) -> bool:
        """Whether that job was begun again."""
        return bool(self._asked(f"/jobs/{self.running_job()}")["timestamps"]["RESTARTING"])

    def cancel(self) -> None:
        with urlopen(Request(f"{self.page}/jobs/{self.running_job()}?mode=cancel", method="PATCH"), timeout=30):
            pass

    def stop(self) -> None:
        for process in (*self.task_managers, self._job_manager):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _conf(self, rpc: int, rest: int) -> Path:
        folder = self._folder / "conf"
        shutil.copytree(self._flink / "conf", folder)
        shipped = yaml.safe_load((folder / "config.yaml").read_text())
        java = shipped["env"]["java"]["opts"]["all"]
        settings = {
            "env.java.opts.all": f"{java} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": rpc,
            "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.memory.process.size": "900m",
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": rest,
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
            "taskmanager.numberOfTaskSlots": 1,
            "taskmanager.memory.process.size": "1000m",
            "taskmanager.memory.managed.size": "64m",
            "heartbeat.interval": "500 ms",
            "heartbeat.timeout": "4 s",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 20,
            "restart-strategy.fixed-delay.delay": "200 ms",
            "execution.checkpointing.interval": "300 ms",
            "execution.checkpointing.dir": (self._folder / "checkpoints").as_uri(),
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        return folder

    def _lib(self) -> Path:
        """Flink's own jars, and that of its Python: a second start of a job on a task manager finds it loaded."""
        folder = self._folder / "lib"
        folder.mkdir()
        for jar in (*self._flink.glob("lib/*.jar"), *self._flink.glob("opt/flink-python-*.jar")):
            (folder / jar.name).symlink_to(jar)
        return folder

    def _started(self, script: str) -> "subprocess.Popen[bytes]":
        with (self._folder / f"{script}.out").open("ab") as output:
            return subprocess.Popen(
                [str(self._flink / "bin" / script), "start-foreground"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _asked(self, path: str) -> Any:
        try:
            with urlopen(self.page + path, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-3_000:] for path in self._folder.glob("*.out"))


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(closing(socket.socket())) for _ in range(number)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


@contextmanager
def running_cluster(folder: Path, task_managers: int) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        for _ in range(task_managers):
            cluster.add_task_manager()
        cluster.wait_for(task_managers)
        yield cluster
    finally:
        cluster.stop()
