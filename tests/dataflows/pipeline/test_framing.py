"""What stands in front of a value: any other bytes are no event, and never anything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataflows.pipeline.framing import is_framed, message_place, unframed
from window_core import EventError


def zigzag(number: int) -> bytes:
    """As a client of Confluent's writes it."""
    left = number << 1
    encoded = bytearray()
    while left > 0x7F:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*encoded, left])


@given(st.integers(0, 2**31 - 1), st.binary(max_size=10))
def test_an_id_and_a_value_come_out_as_they_went_in(schema_id: int, value: bytes) -> None:
    assert unframed(b"\0" + schema_id.to_bytes(4) + value) == (schema_id, value)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\1", b"\1\0\0\0\1{}", b"\0\x80\0\0\1{}", b'{"a":1}'])
def test_what_has_no_head_is_no_event(value: bytes) -> None:
    assert not is_framed(value)
    with pytest.raises(EventError, match="not_an_event") as refused:
        unframed(value)
    assert refused.value.field == "schema_id"


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=5), st.binary(max_size=10))
def test_a_place_and_a_message_come_out_as_they_went_in(place: list[int], message: bytes) -> None:
    encoded = zigzag(len(place)) + b"".join(map(zigzag, place))
    assert message_place(encoded + message) == (tuple(place), message)


def test_a_single_zero_is_the_first_message() -> None:
    assert message_place(b"\0\x0a\1d") == ((0,), b"\x0a\1d")


@given(st.binary(max_size=40))
@example(b"")
@example(b"\x02")
@example(b"\x01")
@example(b"\xff" * 40)
@example(b"\xfe\xff\xff\xff\x0f" + bytes(40))
def test_any_bytes_have_a_place_or_are_no_event(value: bytes) -> None:
    try:
        place, message = message_place(value)
    except EventError:
        return
    assert 1 <= len(place) <= 100
    assert value.endswith(message)
