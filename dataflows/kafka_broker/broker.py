"""A real Kafka of one node, for tests and for trying things out. It ends with the process that started it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from dataflows.connectors.kafka.client import BrokerError, client_settings
from dataflows.kafka_broker.artifacts import broker_jars, java_command

__all__ = ["Broker", "running_broker"]

_HOST: Final = "127.0.0.1"
_START_WITHIN_S: Final = 90
"""It takes 4 s on a quiet machine."""

_STOP_WITHIN_S: Final = 30

_HEAP: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Small, and soon up: 364 MB resident when idle."""

_WATCHED: Final = """
exec 3<&0
"$@" & java=$!
{ read -r stop <&3 || [ -z "$LEFTOVERS" ] || : >"$LEFTOVERS/orphaned"; kill "$java" 2>/dev/null; } & watch=$!
wait "$java"; status=$?
kill "$watch" 2>/dev/null
[ ! -e "$LEFTOVERS/orphaned" ] || rm -rf "$LEFTOVERS"
exit "$status"
"""
"""Java reads no standard input; this shell does. Asked to stop, it ends Java; abandoned, it also removes the folder."""


class Broker:
    """A broker in a folder. Stopped, it can be started again: same port, same data.

    Attributes:
        address: ``HOST:PORT``, without encryption and login.
        secured_address: where one has to log in with SASL PLAIN; ``None`` if it has no users.
    """

    def __init__(
        self, folder: Path, port: int = 0, users: Mapping[str, str] | None = None, *, is_temporary: bool = False
    ) -> None:
        """Prepare a broker; nothing runs yet.

        Args:
            folder: where its data are, or will be.
            port: where it listens; 0 takes a free one.
            users: names and passwords; with any, it also listens on a second port, for them.
            is_temporary: the folder is removed, too, if the process that started the broker ends without stopping it.
        Raises:
            BrokerError: no Java, no jars, or the port is taken.
        """
        self._java = [java_command(), *_HEAP, "-cp", f"{broker_jars()}/*"]
        self._folder = folder.resolve()
        self._leftovers = str(self._folder) if is_temporary else ""
        self._users = dict(users or {})
        ports = _free_ports(port)
        self._controller_port, self._port, self._secured_port = ports
        self.address = f"{_HOST}:{self._port}"
        self.secured_address = f"{_HOST}:{self._secured_port}" if self._users else None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            BrokerError: it does not come up.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        self._format(properties)
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _WATCHED, "broker", *self._java, "kafka.Kafka", str(properties)],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "LEFTOVERS": self._leftovers},
                start_new_session=True,
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in an orderly way. Does nothing if it does not run."""
        process = self._process
        if process is None:
            return
        try:
            process.communicate(b"stop\n", _STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)  # the leader of a session of its own
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None

    def _properties(self) -> dict[str, str]:
        listeners = {"PLAINTEXT": self.address, "CONTROLLER": f"{_HOST}:{self._controller_port}"}
        if self._users:
            listeners["SASL_PLAINTEXT"] = f"{_HOST}:{self._secured_port}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{listeners['CONTROLLER']}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(f"{name}://{where}" for name, where in listeners.items()),
            "advertised.listeners": ",".join(
                f"{name}://{where}" for name, where in listeners.items() if name != "CONTROLLER"
            ),
            "listener.security.protocol.map": (
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT"
            ),
            "log.dirs": str(self._folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
        }
        if self._users:
            users = " ".join(f'user_{name}="{password}"' for name, password in self._users.items())
            properties["sasl.enabled.mechanisms"] = "PLAIN"
            properties["listener.name.sasl_plaintext.plain.sasl.jaas.config"] = (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            )
        return properties

    def _format(self, properties: Path) -> None:
        """Make the folder of the data, if it is not there yet."""
        if (self._folder / "data" / "meta.properties").exists():
            return
        cluster = uuid4().hex[:22]  # any 22 characters of base64 are an id
        format_data = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(properties)]
        result = subprocess.run([*self._java, *format_data], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            said = (result.stderr or result.stdout).strip().splitlines() or ["it said nothing"]
            raise BrokerError(f"the broker's folder {self._folder} cannot be prepared: {said[-1][:300]}")

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        client = AdminClient(client_settings(self.address, {}))
        give_up_s = monotonic() + _START_WITHIN_S
        while monotonic() < give_up_s:
            if process.poll() is not None:
                raise BrokerError(f"the broker ended with status {process.returncode}; see {self._folder}/broker.log")
            try:
                if client.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                continue
        raise BrokerError(f"the broker did not start within {_START_WITHIN_S} s; see {self._folder}/broker.log")


@contextmanager
def running_broker(
    folder: Path | None = None, port: int = 0, users: Mapping[str, str] | None = None
) -> Iterator[Broker]:
    """A broker for the time of the context; without a folder its data are gone with it. Arguments as for ``Broker``.

    Raises:
        BrokerError: it does not come up.
    """
    with ExitStack() as stack:
        is_temporary = folder is None
        if folder is None:
            temporary = TemporaryDirectory(prefix="latecomer-broker-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        broker = Broker(folder, port, users, is_temporary=is_temporary)
        stack.callback(broker.stop)
        broker.start()
        yield broker


def _free_ports(wanted: int) -> tuple[int, int, int]:
    """Three ports: of the controller, the one that is wanted, and one with login."""
    sockets = []
    try:
        for port in (0, wanted, 0):
            sockets.append(socket.socket())
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sockets[-1].bind((_HOST, port))
            if port:
                sockets[-1].listen()
        controller, plain, secured = (taken.getsockname()[1] for taken in sockets)
        return controller, plain, secured
    except OSError as error:
        raise BrokerError(f"the broker cannot listen on {_HOST}:{wanted}: {error.strerror}") from None
    finally:
        for taken in sockets:
            taken.close()
