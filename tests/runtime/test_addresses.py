"""Addresses of services as people write them."""

import pytest

from runtime.addresses import address_of, is_loopback, parsed_addresses
from runtime.errors import SettingsError


def test_several_addresses_are_read() -> None:
    assert parsed_addresses("a:1, b.c:65535", "--features") == [("a", 1), ("b.c", 65_535)]


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert parsed_addresses("[::1]:9001", "--features") == [("[::1]", 9_001)]


@pytest.mark.parametrize(
    "text",
    ["", "host", ":1", "host:", "host:0", "host:65536", "host:1x", "a:1,", ",a:1", "a:\u0661", "http://a:1", "u@a:1",
     "a b:1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--inference must be HOST:PORT"):
        parsed_addresses(text, "--inference")


def test_the_address_at_fault_is_named_alone() -> None:
    with pytest.raises(SettingsError, match=r"not 'b'$"):
        parsed_addresses("a:1,b,c:2", "--features")


def test_only_an_address_of_ipv6_is_written_in_brackets() -> None:
    assert [address_of(host, 1) for host in ("::1", "127.0.0.1", "a.b")] == ["[::1]:1", "127.0.0.1:1", "a.b:1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1", "localhost", "LocalHost"])
def test_what_only_this_machine_reaches_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", ""])
def test_what_others_may_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)
