"""The feature service: windows in, features out, one at a time as the original demo asks, or many."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import grpc
import numpy as np

from grpc_services.python.batch_codec import decoded_windows, row_errors, window_of_events
from grpc_services.python.call_gate import is_wanted
from grpc_services.python.features import Feature, feature_matrix
from grpc_services.python.stubs import mlpipeline_pb2, mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc

__all__ = ["BatchFeatureService", "OriginalFeatureService"]


class OriginalFeatureService(mlpipeline_pb2_grpc.FeatureEngineeringServiceServicer):
    """``mlpipeline.FeatureEngineeringService``. Like the original it reads no event's ``device_id``."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = features

    def engineerFeatures(
        self, request: mlpipeline_pb2.RawEventList, context: grpc.ServicerContext
    ) -> mlpipeline_pb2.FeatureList:
        matrix, errors = feature_matrix(self._features, window_of_events(request.event), lambda: is_wanted(context))
        if errors:
            raise errors.pop(0)  # one that stayed there would keep this frame, and so the call, alive
        answer = mlpipeline_pb2.FeatureList(device_id=request.device_id)
        for feature, value in zip(self._features, matrix[0].tolist(), strict=True):
            answer.feature.add(name=feature.name, value=value)
        return answer


class BatchFeatureService(batch_pb2_grpc.FeatureServiceServicer):
    """``latecomer.v1.FeatureService``."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = features
        self._names = [feature.name for feature in features]

    def EngineerFeatures(self, request: batch_pb2.WindowBatch, context: grpc.ServicerContext) -> batch_pb2.FeatureBatch:
        windows, rows, errors = decoded_windows(request)
        matrix, failed = feature_matrix(self._features, windows, lambda: is_wanted(context))
        if errors:
            answered = matrix
            matrix = np.zeros((len(rows) + len(errors), len(self._names)), np.float32)
            matrix[rows] = answered
        errors |= {int(rows[row]): error for row, error in failed.items()}
        return batch_pb2.FeatureBatch(
            evaluation_id=request.evaluation_id,
            device_id=request.device_id,
            name=self._names,
            values=matrix.tobytes(),
            error=row_errors(errors),
        )

    def StreamFeatures(
        self, request_iterator: Iterable[batch_pb2.WindowBatch], context: grpc.ServicerContext
    ) -> Iterator[batch_pb2.FeatureBatch]:
        return map(partial(self.EngineerFeatures, context=context), request_iterator)
