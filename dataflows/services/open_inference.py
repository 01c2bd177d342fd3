"""A model of an Open Inference server in place of our inference service: KServe, Triton, MLServer and others.

It is asked by calls, with the deadlines, retries and addresses of any service; a batch that is refused is divided.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import grpc

from dataflows.services.answers import Answer
from dataflows.services.calls import Service
from dataflows.services.chunks import FeatureRows
from dataflows.services.errors import AskAgainError, MisfitError, RefusedError, ServiceError, UnimplementedError
from dataflows.services.methods import Method, decoded, divided
from dataflows.services.open_tensors import ModelTensors, TensorError, read_outputs
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import InferenceServiceDescription
from grpc_services.python.stubs.open_inference_pb2 import (
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
)
from runtime.addresses import ServedModel

__all__ = ["OpenInference"]

_PREFIX: Final = "/inference.GRPCInferenceService/"


class _Known(NamedTuple):
    """What the server has said about the model."""

    model_id: str
    tensors: ModelTensors
    method: Method[FeatureRows, Answer]


class OpenInference:
    """Asks about rows of features. May be used by several threads at once."""

    def __init__(self, service: Service, model: ServedModel, *, one_at_a_time: bool) -> None:
        """Nothing is called yet.

        Args:
            service: the addresses of the server.
            model: which of its models.
            one_at_a_time: ask about one row in a call.
        """
        self.service: Final = service
        self._model: Final = model
        self._one_at_a_time: Final = one_at_a_time
        self._known: _Known | None = None

    @property
    def takes_many(self) -> bool:
        """Whether it may be asked about several rows at once, as far as is known."""
        return not self._one_at_a_time and (self._known is None or self._known.tensors.takes_many)

    def described(self) -> InferenceServiceDescription:
        """Which model it is.

        Raises:
            MisfitError: it takes something else than features.
            ServiceError: the server did not answer, or has no such model.
        """
        return InferenceServiceDescription(model_id=self._learned().model_id)

    def misfit(self, features: Sequence[str]) -> str | None:
        """Why the model cannot be asked about these features, in one line; ``None`` if it can. Raises as above."""
        known = self._learned()
        why = known.tensors.misfit(features)
        return None if why is None else f"the model {known.model_id} {why}"

    def ask(self, rows: FeatureRows) -> list[Answer]:
        """The answers in the order of the rows.

        Raises:
            MisfitError: the model takes other features.
            ServiceError: the server did not answer within its attempts, or not with an answer.
        """
        if not len(rows):
            return []
        method = self._learned().method
        if (why := self.misfit(rows.names)) is not None:
            raise MisfitError(why)
        try:
            return list(divided(method, rows, partial(self._called, method)))
        except UnimplementedError:
            raise self._unknown() from None

    def _called(self, method: Method[FeatureRows, Answer], rows: FeatureRows) -> list[Answer]:
        """One call. A row is refused only by a model that is ready: one that is being loaded knows no better."""
        try:
            return self.service.call(method, rows)
        except RefusedError:
            if len(rows) > 1:
                raise
        self.service.tried(self._ready)
        return self.service.call(method, rows)

    def _ready(self) -> None:
        name, version = self._model
        request = ModelReadyRequest(name=name, version=version).SerializeToString()
        try:
            is_ready = decoded(self.service.attempt(f"{_PREFIX}ModelReady", request), ModelReadyResponse).ready
        except RefusedError as error:
            raise AskAgainError(grpc.StatusCode.UNAVAILABLE, error.refusal.message) from None
        if not is_ready:
            raise AskAgainError(grpc.StatusCode.UNAVAILABLE, f"the model {name} is not ready")

    def _learned(self) -> _Known:
        """What is known of the model; the server is asked once.

        Raises:
            MisfitError: it takes something else than features.
            ServiceError: the server did not answer, or has no such model.
        """
        if self._known is not None:
            return self._known
        name, version = self._model
        try:
            metadata = self.service.tried(self._metadata)
            tensors = ModelTensors.of(metadata)
        except TensorError as error:
            raise MisfitError(f"the model {name} at {self.service.name_of_all} cannot be asked: {error}") from None
        except UnimplementedError:
            raise self._unknown() from None
        except RefusedError as error:
            said = f"{error.refusal.status}: {error.refusal.message}"
            raise ServiceError(f"{self.service.name_of_all} does not describe its model: {said}") from None
        version = version or next(reversed(metadata.versions), "")
        self._known = _Known(
            f"{name}/{version}" if version else name,
            tensors,
            Method(
                path=f"{_PREFIX}ModelInfer",
                request=partial(tensors.request, name, self._model.version),
                read=partial(read_outputs, model=name, version=version),
                refused=lambda _, refusal: refusal,
                takes_many=tensors.takes_many and not self._one_at_a_time,
            ),
        )
        return self._known

    def _metadata(self) -> ModelMetadataResponse:
        name, version = self._model
        request = ModelMetadataRequest(name=name, version=version).SerializeToString()
        try:
            return decoded(self.service.attempt(f"{_PREFIX}ModelMetadata", request), ModelMetadataResponse)
        except RefusedError as error:
            if error.refusal.status == grpc.StatusCode.NOT_FOUND.name:  # also while a server loads its models
                raise AskAgainError(grpc.StatusCode.NOT_FOUND, error.refusal.message) from None
            raise

    def _unknown(self) -> ServiceError:
        return ServiceError(f"{self.service.name_of_all} is no Open Inference server: it knows none of its methods")
