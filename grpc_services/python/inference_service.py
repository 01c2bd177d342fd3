"""The inference service: features in, a prediction out, one at a time as the original demo asks, or many."""

from collections import Counter
from collections.abc import Iterable, Iterator
from math import isfinite

import grpc
import numpy as np

from grpc_services.python.batch_codec import check_given_once, decoded_features, row_errors
from grpc_services.python.call_gate import is_wanted
from grpc_services.python.errors import AbandonedError, RequestError
from grpc_services.python.models import Model
from grpc_services.python.stubs import mlpipeline_pb2, mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc

__all__ = ["BatchInferenceService", "OriginalInferenceService"]


class OriginalInferenceService(mlpipeline_pb2_grpc.PredictionServiceServicer):
    """``mlpipeline.PredictionService``. Features that the model does not read are ignored, whatever they hold."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, request: mlpipeline_pb2.FeatureList, context: grpc.ServicerContext) -> mlpipeline_pb2.Prediction:
        given = [(feature.name, feature.value) for feature in request.feature]
        counts = Counter(name for name, _ in given)
        values = dict(given)
        for name in self._model.features:
            check_given_once(name, counts[name])
        for name in self._model.features:  # only then, as in a batch
            if not isfinite(values[name]):
                raise RequestError(f"feature: {name} is not finite")
        if not is_wanted(context):
            raise AbandonedError(f"abandoned before model {self._model.model_id}")
        row = np.array([[values[name] for name in self._model.features]], np.float32)
        [texts], errors = self._model.predictions(row)
        if errors:
            raise errors.pop(0)  # one that stayed there would keep this frame, and so the call, alive
        result = dict(zip(self._model.results, texts, strict=True))
        return mlpipeline_pb2.Prediction(modelId=self._model.model_id, deviceId=request.device_id, result=result)


class BatchInferenceService(batch_pb2_grpc.InferenceServiceServicer):
    """``latecomer.v1.InferenceService``."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def Describe(
        self, request: batch_pb2.DescribeRequest, context: grpc.ServicerContext
    ) -> batch_pb2.InferenceServiceDescription:
        model = self._model
        return batch_pb2.InferenceServiceDescription(
            model_id=model.model_id, feature=model.features, result=model.results
        )

    def Predict(self, request: batch_pb2.FeatureBatch, context: grpc.ServicerContext) -> batch_pb2.PredictionBatch:
        model = self._model
        matrix, rows, errors = decoded_features(request, model.features)
        if not is_wanted(context):
            raise AbandonedError(f"abandoned before model {model.model_id}")
        texts, failed = model.predictions(matrix)
        if errors:
            answered = texts
            texts = [[""] * len(model.results) for _ in range(len(rows) + len(errors))]
            for row, text in zip(rows.tolist(), answered, strict=True):
                texts[row] = text
        errors |= {int(rows[row]): error for row, error in failed.items()}
        return batch_pb2.PredictionBatch(
            rows=request.rows,
            model_id=model.model_id,
            key=model.results,
            value=[text for row in texts for text in row],
            error=row_errors(errors),
        )

    def StreamPredictions(
        self, request_iterator: Iterable[batch_pb2.FeatureBatch], context: grpc.ServicerContext
    ) -> Iterator[batch_pb2.PredictionBatch]:
        for request in request_iterator:
            yield self.Predict(request, context)
