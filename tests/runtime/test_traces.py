"""Where traces may be sent to, and what there is without them."""

import pytest

from runtime.errors import SettingsError
from runtime.opened_traces import opened_traces
from runtime.traces import NO_TRACES, NOT_TRACED, check_collector


@pytest.mark.parametrize(
    "url",
    ["http://localhost:4317", "https://collector.example:443", "http://[::1]:4317", "http://10.0.0.1:65535/"],
)
def test_a_collector_is_an_url_with_a_port(url: str) -> None:
    check_collector(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4317",
        "http://localhost",
        "http://localhost:",
        "http://localhost:0",
        "http://localhost:65536",
        "http://user:secret@localhost:4317",
        "http://localhost:4317/v1/traces",
        "http://local host:4317",
        "http://::1:4317",
        "ftp://localhost:4317",
        "http://localhost:4317\n",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--traces must be"):
        check_collector(url)


def test_without_a_collector_nothing_is_traced() -> None:
    traces = opened_traces(None, "test", pytest.fail)
    assert traces is NO_TRACES
    assert not traces.is_on
    with traces.batch() as batch:
        assert batch is NOT_TRACED
        assert traces.carried(len) is len
        asked = traces.request("/a.B/c", "localhost:1", 3)
        assert (asked, traces.answer("/a.B/c", "", 3)) == (NOT_TRACED, NOT_TRACED)
    assert (asked.parent, asked.metadata) == (None, None)
    asked.note("rows", 1)
    asked.end()
    traces.close()
