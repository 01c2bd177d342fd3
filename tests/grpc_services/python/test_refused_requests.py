"""What of a ``WindowBatch`` ends its call or its stream: the words for each."""

import grpc
import pytest

from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from grpc_services.python.window_message import MAX_ROWS
from tests.grpc_services.python.messages import three_windows, uint32

FAR = 2**32 - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": bytes(5)}, "number: 5 bytes are not 1 uint32, one for each device_id"),
        ({"room": bytes(8)}, "room: 8 bytes are not 1 uint32, one for each device_id"),
        ({"device_id": ["a", "b"]}, "number: 4 bytes are not 2 uint32, one for each device_id"),
        ({"appended_number": bytes(7)}, "appended_number: 7 bytes are not 1 uint32"),
        ({"appended_count": bytes(8)}, "appended_count: 8 bytes are not 1 uint32, one for each appended_number"),
        ({"times": bytes(49)}, "times: 49 bytes are not 6 int64, one for each row"),
        ({"readings": bytes(112)}, "readings: 112 bytes are not 6 rows of 4 float32"),
        ({"readings": bytes(95)}, "readings: 95 bytes are not 6 rows of 4 float32"),
        ({"window_number": bytes(13)}, "window_number: 13 bytes are not 3 uint32"),
        ({"window_number": bytes(262_148)}, f"window_number: 65537 windows, a request may have {MAX_ROWS}"),
        ({"starts": bytes(11)}, "starts: 11 bytes are not 3 uint32, one for each window"),
        ({"ends": bytes(16)}, "ends: 16 bytes are not 3 uint32, one for each window"),
        ({"dropped_number": bytes(1)}, "dropped_number: 1 bytes are not 0 uint32"),
        (
            {"derived": [batch_pb2.DerivedColumn(readings=bytes(12))]},
            "derived: the readings are 12 bytes, not 4 float32",
        ),
        ({"derived": [batch_pb2.DerivedColumn()] * 65_537}, "derived: 65537 columns, a request may have 65536"),
        ({"number": uint32([1 << 20])}, "number: 1048576 is out of range, a column has a number below 1048576"),
        ({"room": bytes(4)}, "room: 0 is not from 1 to 4194304"),
        ({"room": uint32([(1 << 22) + 1])}, "room: 4194305 is not from 1 to 4194304"),
        ({"room": uint32([5])}, "appended_count: column 0 has room for 5 rows, not for 6"),
        ({"appended_number": uint32([2])}, "appended_number: column 2 is not defined"),
        ({"appended_number": uint32([FAR])}, f"appended_number: column {FAR} is not defined"),
        ({"window_number": uint32([0, 7, 8])}, "window_number: column 7 is not defined"),
        ({"dropped_number": uint32([0, 3])}, "dropped_number: column 3 is not defined"),
        ({"dropped_number": uint32([0, 0])}, "dropped_number: column 0 is not defined"),
        (
            {"sensor": ["sensor2", "sensor1", "sensor3", "sensor4"]},
            "sensor: the request has sensor2, sensor1, sensor3, sensor4; "
            "this server is for sensor1, sensor2, sensor3, sensor4",
        ),
        ({"sensor": []}, "sensor: the request has none; this server is for sensor1, sensor2, sensor3, sensor4"),
        (
            {"sensor": ["a", "b?"]},
            "sensor: the request has a, b?; this server is for sensor1, sensor2, sensor3, sensor4",
        ),
        (
            {"sensor": ["a" * 2001]},
            "sensor: the request has 1 others; this server is for sensor1, sensor2, sensor3, sensor4",
        ),
    ],
)
def test_a_request_without_rows_to_tell_apart_fails_whole(features_channel, change, message):
    batch = three_windows()
    for field, value in change.items():
        batch.ClearField(field)
        batch.MergeFrom(batch_pb2.WindowBatch(**{field: value}))
    with pytest.raises(grpc.RpcError) as refused:
        batch_pb2_grpc.FeatureServiceStub(features_channel).EngineerFeatures(batch)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"number": 1 << 20}, "derived: 1048576 is out of range, a column has a number below 1048576"),
        ({"number": 0}, "derived: column 0 is defined already"),
        ({"room": 0}, "derived: room 0 is not from 1 to 4194304"),
        ({"source": 1}, "derived: column 1 is not defined"),
        ({"source": 1 << 31}, f"derived: column {1 << 31} is not defined"),
        ({"start": 5, "end": 4}, "derived: rows 5 to 4 are not rows of column 0, which holds 6"),
        ({"end": 7}, "derived: rows 2 to 7 are not rows of column 0, which holds 6"),
        ({"row": 5}, "derived: row 5 is outside the 5 rows of column 1"),
        ({"room": 4}, "derived: column 1 has room for 4 rows, not for 5"),
    ],
)
def test_a_column_that_cannot_be_derived_ends_the_call(features_channel, fields, message):
    batch, more = three_windows(), three_windows()
    batch.window_number = batch.starts = batch.ends = batch.dropped_number = b""
    right = {"number": 1, "room": 5, "source": 0, "start": 2, "end": 6, "row": 4, "readings": bytes(16)}
    stub = batch_pb2_grpc.FeatureServiceStub(features_channel)
    more = batch_pb2.WindowBatch(derived=[batch_pb2.DerivedColumn(**(right | fields))])
    answers = stub.StreamFeatures(iter([batch, more]))
    assert next(answers).rows == 0
    with pytest.raises(grpc.RpcError) as refused:
        next(answers)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, message)
    more.derived[0].CopyFrom(batch_pb2.DerivedColumn(**right))
    assert [answer.rows for answer in stub.StreamFeatures(iter([batch, more]))] == [0, 0]
