"""Servers that restart, die or hang under a steady load cost no evaluation."""

import signal
from pathlib import Path

import pytest

from tests.interop.load import Load, addresses_of, running_servers


@pytest.mark.parametrize("languages", [("python",) * 3, ("java",) * 3, ("python", "java", "java")], ids=",".join)
def test_a_rolling_restart_of_three_servers_of_each_kind_costs_no_evaluation(
    languages: tuple[str, ...], jar: Path
) -> None:
    with running_servers(*languages) as servers:
        with Load(addresses_of(servers["features"]), addresses_of(servers["inference"])) as load:
            for several in zip(servers["features"], servers["inference"], strict=True):
                for server in several:
                    assert server.end() == 0
                    load.wait_for_more()
                    server.start()
                for server in several:
                    server.wait_until_it_listens()
                load.wait_for_more()
        assert load.failures == []


def test_servers_that_are_killed_cost_no_evaluation() -> None:
    with running_servers("python", "python") as servers:
        with Load(addresses_of(servers["features"]), addresses_of(servers["inference"])) as load:
            for several in servers.values():
                several[0].end(signal.SIGKILL)
                load.wait_for_more()
        assert load.failures == []


def test_servers_that_hang_cost_no_evaluation_and_are_asked_again_when_they_are_back() -> None:
    with running_servers("python", "python") as servers:
        features, inference = servers.values()
        with Load(addresses_of(features), addresses_of(inference), timeout_ms=1_000) as load:
            for several in (features, inference):
                several[0].send(signal.SIGSTOP)
                load.wait_for_more(200)
                several[0].send(signal.SIGCONT)
                several[1].end(signal.SIGKILL)  # now all depends on the one that hung
                load.wait_for_more(200)
        assert load.failures == []
        assert load.retries() > 0
