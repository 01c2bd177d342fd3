"""How the services are asked: what is out of bounds or half given is refused by the name of its option."""

from typing import Any

import pytest

from dataflows.settings.calls import CallSettings, ChannelSettings
from runtime.errors import SettingsError


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"batch_windows": 0}, "--batch-windows must be above 0"),
        ({"batch_bytes": 0}, "--batch-bytes must be above 0"),
        ({"in_flight": 0}, "--in-flight must be above 0"),
        ({"timeout_ms": 0}, "--timeout must be above 0"),
        ({"attempts": 0}, "--attempts must be above 0"),
        ({"timeout_ms": 86_400_001}, "--timeout must be at most 1d"),
        ({"pause_ms": 86_400_001}, "--pause must be at most 1d"),
        ({"features": "nowhere"}, "--features must be HOST:PORT"),
        ({"inference": "a:1,b"}, "--inference must be HOST:PORT"),
        ({"inference": ""}, "--inference must be HOST:PORT"),
        ({"features": "a:1", "features_from": "m:f"}, "--features-from"),
        ({"inference": "a:1", "model": "m:f"}, "--model"),
    ],
)
def test_settings_of_calls_that_make_no_sense_are_refused_by_name(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        CallSettings(**values)
    assert str(refused.value).startswith(says)


def test_the_bounds_themselves_are_taken() -> None:
    assert CallSettings(timeout_ms=86_400_000, pause_ms=86_400_000, attempts=1, in_flight=1, batch_windows=1)
    assert CallSettings(pause_ms=0, features="a:1,[::1]:2", inference="b:65535")


def test_calls_in_flight_follow_the_kind_of_call_unless_they_are_set() -> None:
    assert [CallSettings(rpc=rpc).calls_in_flight for rpc in ("batch", "stream", "unary")] == [3, 3, 8]
    assert CallSettings(rpc="unary", in_flight=2).calls_in_flight == 2


ENDPOINT = {"token_endpoint": "https://a", "client_id": "b", "client_secret_file": "c"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tls_cert": "a", "tls_key": "b"}, "--tls-cert needs --tls-ca"),
        ({"tls_ca": "a", "tls_cert": "b"}, "--tls-cert needs --tls-key"),
        ({"tls_ca": "a", "tls_key": "b"}, "--tls-key needs --tls-cert"),
        ({"token_file": "a"}, "--token-file needs --tls-ca"),
        (ENDPOINT, "--token-endpoint needs --tls-ca"),
        ({"tls_ca": "a", **ENDPOINT, "client_id": None}, "--token-endpoint needs --client-id"),
        ({"tls_ca": "a", **ENDPOINT, "client_secret_file": None}, "--token-endpoint needs --client-secret-file"),
        ({"client_id": "b"}, "--client-id needs --token-endpoint"),
        ({"client_secret_file": "b"}, "--client-secret-file needs --token-endpoint"),
        ({"token_scope": "b"}, "--token-scope needs --token-endpoint"),
        ({"tls_ca": "a", "token_file": "b", **ENDPOINT}, "--token-file and --token-endpoint"),
    ],
)
def test_a_setting_that_needs_another_one_names_it(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ChannelSettings(**values)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"tls_ca": "a"},
        {"tls_ca": "a", "tls_cert": "b", "tls_key": "c", "token_file": "d"},
        {"tls_ca": "a", **ENDPOINT, "token_scope": "d"},
        {"compression": "gzip"},
    ],
)
def test_settings_of_a_channel_that_go_together_are_taken(values: dict[str, Any]) -> None:
    assert ChannelSettings(**values)
