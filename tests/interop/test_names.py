"""A name with several addresses: calls go round them all, and one where nobody listens costs nothing.

The name is one of a hosts file that this machine's resolver reads in a mount namespace of the client's own.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dataflows.java_tools import java_command
from grpc_services.python.server import RunningServer, start
from grpc_services.python.settings import ServerSettings
from tests.interop.commands import ASK, said
from tests.interop.windows import generated, lines_of

WINDOWS = 400
HOSTS = "127.0.0.1 localhost\n127.0.0.1 fleet.test\n127.0.0.2 fleet.test\n127.0.0.3 fleet.test\n"
"""Two servers, and an address where nobody listens."""

METHODS = {
    "features": "/mlpipeline.FeatureEngineeringService/engineerFeatures",
    "inference": "/mlpipeline.PredictionService/predict",
}


@pytest.fixture(scope="module")
def own_hosts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What to put before a command for it to see ``HOSTS``."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not on the PATH: install util-linux, on Linux")
    hosts = tmp_path_factory.mktemp("hosts") / "hosts"
    hosts.write_text(HOSTS)
    for rights in ([], ["--map-root-user"]):
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        command = ["unshare", "--mount", *rights, "/bin/sh", "-c", script, str(hosts)]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("no mount namespace can be made: run as root, or allow user namespaces")


@pytest.fixture
def servers() -> Iterator[dict[str, list[RunningServer]]]:
    """Of each service one at 127.0.0.1 and one at 127.0.0.2, on the same port."""
    with ExitStack() as ends:
        found = {}
        for service in METHODS:
            first = start(ServerSettings.of(service, port=0))
            ends.callback(first.stop, 0.0)
            second = start(ServerSettings.of(service, host="127.0.0.2", port=first.port))
            ends.callback(second.stop, 0.0)
            found[service] = [first, second]
        yield found


@pytest.mark.parametrize("language", ["python", "java"])
def test_a_name_with_several_addresses_is_balanced_and_survives_a_dead_one(
    language: str, own_hosts: list[str], servers: dict[str, list[RunningServer]], jar: Path, tmp_path: Path
) -> None:
    client = ASK if language == "python" else [java_command("this test"), "-jar", str(jar), "ask"]
    source = tmp_path / "windows.jsonl"
    source.write_text(lines_of(list(generated(WINDOWS))))
    addresses = [f"fleet.test:{servers[service][0].port}" for service in METHODS]
    status, out, err = said(*own_hosts, *client, *addresses, "--input", str(source))
    assert (status, err) == (0, "")
    assert all("result" in json.loads(line) for line in out.splitlines())
    assert out.count("\n") == WINDOWS
    for service, method in METHODS.items():
        counts = [
            server.metrics.registry.get_sample_value("latecomer_service_windows_total", {"method": method})
            for server in servers[service]
        ]
        assert sum(counts) == WINDOWS
        assert min(counts) > WINDOWS / 4, counts
