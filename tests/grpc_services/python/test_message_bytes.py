"""Messages before they become objects: unpacked up to a bound, and counted as the parser would."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.errors import RequestError, TooLargeError
from grpc_services.python.message_bytes import MAX_FIELDS, check_fields, unpacked
from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2


def test_a_packed_message_of_the_most_bytes_is_unpacked_and_one_byte_more_is_not():
    assert unpacked(gzip.compress(bytes(1_000)), 1_000) == bytes(1_000)
    with pytest.raises(TooLargeError, match=r"^request: larger than 999 bytes once unpacked$"):
        unpacked(gzip.compress(bytes(1_000)), 999)


@pytest.mark.parametrize("damaged", [gzip.compress(b"x" * 99)[:-1], gzip.compress(b"x") + b"y", b"\x1f\x8bnot gzip"])
def test_what_is_not_one_whole_gzip_member_is_the_callers_fault(damaged):
    with pytest.raises(RequestError):
        unpacked(damaged, 1_000)


@given(st.binary(max_size=64))
def test_what_is_not_packed_stays_as_it_is(data):
    if not data.startswith(b"\x1f\x8b"):
        assert unpacked(data, 1_000) == data


LARGE = {
    "events": (mlpipeline_pb2.RawEventList, lambda n: {"event": [mlpipeline_pb2.RawEvent(device_id="d" * 200)] * n}),
    "features": (mlpipeline_pb2.FeatureList, lambda n: {"feature": [mlpipeline_pb2.Feature(value=1.0)] * n}),
    "results": (mlpipeline_pb2.Prediction, lambda n: {"result": {str(key): "" for key in range(n)}}),
    "windows": (batch_pb2.WindowBatch, lambda n: {"device_id": ["x" * 300] * n}),
    "derived": (batch_pb2.WindowBatch, lambda n: {"derived": [batch_pb2.DerivedColumn(readings=bytes(16))] * n}),
    "names": (batch_pb2.FeatureBatch, lambda n: {"name": [""] * n}),
    "errors": (batch_pb2.FeatureBatch, lambda n: {"error": [batch_pb2.RowError(row=1 << 31, code=3)] * n}),
    "keys": (batch_pb2.PredictionBatch, lambda n: {"key": [""] * n}),
    "values": (batch_pb2.PredictionBatch, lambda n: {"value": ["0.5"] * n}),
}


@pytest.mark.parametrize("kind", LARGE)
def test_every_repeated_field_of_both_contracts_is_counted(kind):
    message, fields = LARGE[kind]
    check_fields(message(**fields(1_000)).SerializeToString(), 1_000)
    with pytest.raises(TooLargeError, match=r"^request: more than 1000 fields$"):
        check_fields(message(**fields(1_001)).SerializeToString(), 1_000)


def test_fields_that_no_contract_has_are_counted_too():
    for field in (b"\x78\x01", b"\x79" + bytes(8), b"\x7d" + bytes(4), b"\x7b\x7c", b"\xfa\x7f\x01x", b"\x08\xff\x01"):
        check_fields(field * 500, 1_000)
        with pytest.raises(TooLargeError):
            check_fields(field * 1_001, 1_000)


@given(st.binary(max_size=200), st.integers(0, 20))
def test_whatever_the_bytes_it_ends_and_says_no_more_than_that_there_are_too_many(data, most):
    try:
        check_fields(data, most)
    except TooLargeError:
        assert len(data) > 2 * most


def test_a_batch_of_the_most_rows_is_within_the_limit():
    batch = batch_pb2.FeatureBatch(rows=65_536, name=["a"] * 1_000)
    batch.error.extend([batch_pb2.RowError(row=1, code=3)] * 65_536)
    check_fields(batch.SerializeToString(), MAX_FIELDS)
    windows = batch_pb2.WindowBatch(device_id=["d"] * 65_536, derived=[batch_pb2.DerivedColumn(number=1)] * 65_536)
    check_fields(windows.SerializeToString(), MAX_FIELDS)
