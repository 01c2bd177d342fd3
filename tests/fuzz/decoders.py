"""Every decoder of bytes that come from outside this process, with inputs that it takes and the errors it may raise."""

import gzip
import json
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, NamedTuple

import zstandard
from google.protobuf.message import DecodeError
from grpc_tools import protoc

from dataflows.bytewax_flow.sealed import checked_pickle, pickled, sealed
from dataflows.connectors.file_content import opened_content
from dataflows.pipeline.avro_record import AvroSchema
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import InputError
from dataflows.pipeline.framing import message_place, unframed
from dataflows.pipeline.proto_message import MessageType
from dataflows.pipeline.row_codec import RowCodec
from dataflows.saved_state.portable_file import read_devices, read_origin
from dataflows.services.answer_bytes import unpacked_answer
from dataflows.services.batch_methods import read_features, read_predictions
from dataflows.services.chunks import Chunk
from dataflows.services.errors import AskAgainError, WrongAnswerError
from grpc_services.python.batch_codec import decoded_features, window_of_events
from grpc_services.python.errors import NotHeldError, RequestError, TooLargeError
from grpc_services.python.held_columns import HeldColumns
from grpc_services.python.message_bytes import check_fields, unpacked
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch, WindowBatch
from grpc_services.python.stubs.mlpipeline_pb2 import RawEventList
from grpc_services.python.window_message import WindowMessage
from tests.dataflows.asking import EVALUATIONS
from tests.dataflows.pipeline.test_avro_record import SCHEMA as AVRO_SCHEMA
from tests.dataflows.pipeline.test_avro_record import encoded as avro_record
from tests.dataflows.pipeline.test_avro_record import layout as avro_layout
from tests.dataflows.pipeline.test_proto_message import PROTO
from tests.dataflows.pipeline.test_proto_message import layout as proto_layout
from tests.golden.make import EXPORT
from tests.grpc_services.python.messages import (
    NAMES,
    event_list,
    feature_batch,
    on_stream,
    three_windows,
    uint32,
    window_batch,
)
from window_core import DEMO_SENSORS, DeviceWindow, EventError, SnapshotError, WindowSpec

__all__ = ["DECODERS", "Decoder"]

MAX_BYTES = 1 << 20
HELD = 9


class Decoder(NamedTuple):
    """Something that reads bytes.

    Attributes:
        decode: reads them.
        seeds: bytes that it takes.
        refusals: how it may refuse others; anything else is a crash.
    """

    decode: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    refusals: tuple[type[Exception], ...]


EVENT = b'{"device_id":"d1","time":5,"sensor1":1.5,"sensor2":-2,"sensor3":3e-3,"sensor4":4,"arrival":7}'


def json_event(value: bytes) -> object:
    return EventCodec(ignores_key=True).event(value, None, "json", 5)


def json_line(value: bytes) -> object:
    return EventCodec(EventLayout(paths={"time": "at.s"})).line(value)


def raw_event(value: bytes) -> object:
    return EventCodec(ignores_key=True).event(value, None, "protobuf", 5)


def raw_events() -> list[bytes]:
    codec = EventCodec()
    return [codec.encoded_message(codec.line(EVENT)[0])]


def csv_rows(value: bytes) -> None:
    header, _, row = value.partition(b"\n")
    codec = RowCodec(EventLayout(), ",")
    codec.read_header(header)
    codec.row(row)


@cache
def reading_type() -> MessageType:
    with TemporaryDirectory() as folder:
        (Path(folder) / "plant.proto").write_text(PROTO)
        include = Path(protoc.__file__).parent / "_proto"
        made = Path(folder) / "set"
        command = ["protoc", f"-I{folder}", f"-I{include}", "--include_imports", f"--descriptor_set_out={made}"]
        assert protoc.main([*command, "plant.proto"]) == 0
        return MessageType.named(made.read_bytes(), "Reading")


def proto_event(value: bytes) -> object:
    return EventCodec(proto_layout(), reading_type(), ignores_key=True).event(value, None, "protobuf", 5)


def proto_values() -> list[bytes]:
    values: dict[str, Any] = {"asset": "d1", "at": {"s": 7, "stamp": {"seconds": 7}}, "celsius": 1.5}
    return [reading_type().message_class()(**values, inner={"asset": "x"}).SerializeToString()]


def avro_event(value: bytes) -> object:
    codec = EventCodec(avro_layout(), AvroSchema(json.dumps(AVRO_SCHEMA)), ignores_key=True)
    return codec.event(value, None, "json", 5)


def framed_value(value: bytes) -> object:
    return message_place(unframed(value)[1])


def packed_lines(data: bytes) -> None:
    """Reads a whole file. Not one of Parquet: polars aborts its process at some that are damaged."""
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with closing(opened_content(file.name, "json", EventLayout())) as lines:
            while lines.read(MAX_BYTES):
                pass


def snapshots() -> list[bytes]:
    window = DeviceWindow(WindowSpec(), "d1")
    for number in range(3):
        window.on_event(EventCodec().line(EVENT)[0]._replace(time_ms=number), number)
    return [window.snapshot()]


def portable_file(data: bytes) -> None:
    with NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(data)
        read_origin(path, "it")
        for device in read_devices(path, "it"):
            DeviceWindow.restore(WindowSpec(), device.snapshot)


def packed_message(data: bytes) -> None:
    check_fields(unpacked(data, MAX_BYTES))


def window_request(data: bytes) -> None:
    HeldColumns(DEMO_SENSORS).take(WindowMessage.of(WindowBatch.FromString(data), DEMO_SENSORS))


def window_stream(data: bytes) -> None:
    """A second message on a stream that holds a column."""
    columns = HeldColumns(DEMO_SENSORS)
    first = three_windows()
    first.number = first.appended_number = uint32([HELD])
    first.window_number, first.dropped_number = uint32([HELD] * 3), b""
    columns.take(WindowMessage.of(first, DEMO_SENSORS))
    message = WindowMessage.of(WindowBatch.FromString(data), DEMO_SENSORS)
    columns.take(message)
    columns.drop(message.dropped_numbers)


def stream_messages() -> list[bytes]:
    asked = WindowBatch(
        window_number=uint32([HELD]), starts=uint32([1]), ends=uint32([4]), dropped_number=uint32([HELD])
    )
    return [asked.SerializeToString(), *window_batches()]


def window_batches() -> list[bytes]:
    events = [(time, 0.5, 1.5, 2.5, 3.5) for time in range(3)]
    batches = [three_windows(), window_batch([events, events[:1]])]
    return [batch.SerializeToString() for batch in [*batches, *on_stream(batches)]]


def original_request(data: bytes) -> None:
    window_of_events(RawEventList.FromString(data).event)


def feature_request(data: bytes) -> None:
    decoded_features(FeatureBatch.FromString(data), NAMES)


def feature_answer(data: bytes) -> None:
    read_features(Chunk(EVALUATIONS[:2]), unpacked_answer(data))


def prediction_answer(data: bytes) -> None:
    rows = read_features(Chunk(EVALUATIONS[:2]), features()[0]).rows
    read_predictions(rows, unpacked_answer(data))


def features() -> list[bytes]:
    return [feature_batch([[1.0, 2.0, 3.0, 4.0]] * 2).SerializeToString()]


def predictions() -> list[bytes]:
    batch = PredictionBatch(rows=2, key=["a", "b"], value=["1", "2", "3", "4"], model_id="m")
    return [batch.SerializeToString(), gzip.compress(batch.SerializeToString())]


REQUEST = (DecodeError, RequestError, TooLargeError, NotHeldError)  # gRPC itself refuses the first
ANSWER = (WrongAnswerError, AskAgainError)

DECODERS = {
    "JSON event": Decoder(json_event, lambda: [EVENT], (EventError,)),
    "JSON line, own fields": Decoder(json_line, lambda: [EVENT.replace(b'"time":5', b'"at":{"s":5}')], (EventError,)),
    "RawEvent message": Decoder(raw_event, raw_events, (EventError,)),
    "CSV": Decoder(csv_rows, lambda: [b"device_id,time,sensor1,sensor2,sensor3,sensor4\nd1,5,1,2,3,4"], (EventError,)),
    "Protobuf by schema": Decoder(proto_event, proto_values, (EventError,)),
    "Avro by schema": Decoder(avro_event, lambda: [avro_record()], (EventError,)),
    "framing of a registry": Decoder(framed_value, lambda: [b"\0\0\0\1\2\4\2\0\x08"], (EventError,)),
    "file, gzip": Decoder(packed_lines, lambda: [gzip.compress(EVENT)], (InputError,)),
    "file, zstd": Decoder(packed_lines, lambda: [zstandard.compress(EVENT)], (InputError,)),
    "window": Decoder(lambda data: DeviceWindow.restore(WindowSpec(), data), snapshots, (SnapshotError,)),
    "state of Bytewax": Decoder(checked_pickle, lambda: [pickled(sealed(b"state"))], (SnapshotError,)),
    "exported state": Decoder(
        portable_file, lambda: [EXPORT.read_bytes()[:2_000], EXPORT.read_bytes()], (SnapshotError,)
    ),
    "compressed message": Decoder(packed_message, predictions, REQUEST),
    "request of windows": Decoder(window_request, window_batches, REQUEST),
    "stream of windows": Decoder(window_stream, stream_messages, REQUEST),
    "request of RawEvents": Decoder(
        original_request, lambda: [event_list([(1, 0.5, 1.5, 2.5, 3.5)]).SerializeToString()], REQUEST
    ),
    "request of features": Decoder(feature_request, features, REQUEST),
    "answer of features": Decoder(feature_answer, features, ANSWER),
    "answer of predictions": Decoder(prediction_answer, predictions, ANSWER),
}
