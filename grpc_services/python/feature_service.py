"""The feature service: windows in, features out, one at a time as the original demo asks, or many."""

from collections.abc import Iterable, Iterator, Sequence

import grpc
import numpy as np

from grpc_services.python.batch_codec import (
    MAX_EVENTS,
    MAX_STREAM_EVENTS,
    check_events,
    row_errors,
    window_of_events,
)
from grpc_services.python.call_gate import is_wanted
from grpc_services.python.column_memory import ColumnMemory, StreamMemory
from grpc_services.python.errors import WrongServerError
from grpc_services.python.features import Feature, feature_matrix, read_events
from grpc_services.python.held_columns import HeldColumns
from grpc_services.python.stubs import mlpipeline_pb2, mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from grpc_services.python.window_message import WindowMessage, check_sensors
from window_core import DEMO_SENSORS, Sensors

__all__ = ["BatchFeatureService", "OriginalFeatureService"]


class OriginalFeatureService(mlpipeline_pb2_grpc.FeatureEngineeringServiceServicer):
    """``mlpipeline.FeatureEngineeringService``. Like the original it reads no event's ``device_id``."""

    def __init__(self, features: Sequence[Feature], sensors: Sensors) -> None:
        self._features = features
        self._sensors = sensors

    def engineerFeatures(
        self, request: mlpipeline_pb2.RawEventList, context: grpc.ServicerContext
    ) -> mlpipeline_pb2.FeatureList:
        if self._sensors != DEMO_SENSORS:
            raise WrongServerError(f"this server is for the sensors {self._sensors}")
        matrix, errors = feature_matrix(self._features, window_of_events(request.event), lambda: is_wanted(context))
        if errors:
            raise errors.pop(0)  # one that stayed there would keep this frame, and so the call, alive
        answer = mlpipeline_pb2.FeatureList(device_id=request.device_id)
        for feature, value in zip(self._features, matrix[0].tolist(), strict=True):
            answer.feature.add(name=feature.name, value=value)
        return answer


class BatchFeatureService(batch_pb2_grpc.FeatureServiceServicer):
    """``latecomer.v1.FeatureService``."""

    def __init__(self, features: Sequence[Feature], sensors: Sensors, memory: ColumnMemory) -> None:
        self._features = features
        self._names = [feature.name for feature in features]
        self._read_events = read_events(features)
        self._sensors = sensors
        self._memory = memory

    def Describe(
        self, request: batch_pb2.DescribeRequest, context: grpc.ServicerContext
    ) -> batch_pb2.FeatureServiceDescription:
        return batch_pb2.FeatureServiceDescription(
            sensor=self._sensors.declared, feature=self._names, column_bytes=self._memory.stream_bytes
        )

    def EngineerFeatures(self, request: batch_pb2.WindowBatch, context: grpc.ServicerContext) -> batch_pb2.FeatureBatch:
        check_sensors(request, self._sensors, is_first=True)
        return self._answer(HeldColumns(self._sensors), request, MAX_EVENTS, context)

    def StreamFeatures(
        self, request_iterator: Iterable[batch_pb2.WindowBatch], context: grpc.ServicerContext
    ) -> Iterator[batch_pb2.FeatureBatch]:
        with StreamMemory(self._memory) as memory:
            columns = HeldColumns(self._sensors, memory)
            is_first = True
            for request in request_iterator:
                check_sensors(request, self._sensors, is_first=is_first)
                is_first = False
                yield self._answer(columns, request, MAX_STREAM_EVENTS if self._read_events else None, context)

    def _answer(
        self, columns: HeldColumns, request: batch_pb2.WindowBatch, most: int | None, context: grpc.ServicerContext
    ) -> batch_pb2.FeatureBatch:
        """The answer to one message, whose windows may hold so many events."""
        message = WindowMessage.of(request, self._sensors)
        windows, rows, errors = columns.take(message)
        if most is not None:
            check_events(windows, most)
        matrix, failed = feature_matrix(self._features, windows, lambda: is_wanted(context))
        if errors:
            answered = matrix
            matrix = np.zeros((len(rows) + len(errors), len(self._names)), np.float32)
            matrix[rows] = answered
        errors |= {int(rows[row]): error for row, error in failed.items()}
        columns.drop(message.dropped_numbers)
        return batch_pb2.FeatureBatch(
            rows=len(matrix), name=self._names, values=matrix.tobytes(), error=row_errors(errors)
        )
