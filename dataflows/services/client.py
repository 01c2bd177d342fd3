"""Asks both services about evaluations: in batches that fit the limits, several under way at once, in order.

A batch that is refused is divided until the window that causes it stands alone; that evaluation is refused, the rest
go on. A service that knows only the methods of the original demo is asked about one window at a time.
"""

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from dataflows.metrics import Metrics
from dataflows.services.calls import RefusedError, Service, ServiceError, ServiceName, UnimplementedError, status_name
from dataflows.services.window_request import chunks_of, window_request
from dataflows.settings import RunSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch
from grpc_services.python.stubs.mlpipeline_pb2 import Feature, FeatureList, RawEvent, RawEventList
from grpc_services.python.stubs.mlpipeline_pb2 import Prediction as OriginalPrediction
from window_core import Evaluation

__all__ = ["Answer", "Prediction", "Refusal", "ServiceClient", "Services"]


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What the services said about one evaluation.

    Attributes:
        features: float32 values by name.
        model_id: the model, with its version.
        result: texts by key.
    """

    features: dict[str, float]
    model_id: str
    result: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A service refused one evaluation.

    Attributes:
        status: name of the gRPC status.
        service: which of the two.
        message: why, in the service's words, for a person to read; it makes no refusal another one.
    """

    status: str
    service: ServiceName
    message: str = field(default="", compare=False)


Answer: TypeAlias = Prediction | Refusal


class _Rows(NamedTuple):
    """Features of some evaluations of a chunk: ``batch`` row ``i`` belongs to the evaluation ``rows[i]``."""

    rows: Sequence[int]
    batch: FeatureBatch


class Services(NamedTuple):
    """The addresses of both services, ``HOST:PORT[,...]``."""

    features: str
    inference: str


class ServiceClient:
    """The way from evaluations to answers."""

    def __init__(self, services: Services, settings: RunSettings, metrics: Metrics) -> None:
        """Open channels to both services; nothing is called yet.

        Raises:
            SettingsError: one of them is no address.
        """
        self._calls = settings.calls
        self._features = Service("features", services.features, settings, metrics)
        self._inference = Service("inference", services.inference, settings, metrics)
        self._threads = ThreadPoolExecutor(settings.calls.calls_in_flight, thread_name_prefix="service-call")

    def close(self) -> None:
        """End what is under way: an interrupted run does not wait for a service that does not answer."""
        self._features.close()
        self._inference.close()
        self._threads.shutdown(cancel_futures=True)

    def answers(self, evaluations: Sequence[Evaluation]) -> list[Answer]:
        """One answer for each evaluation, in their order. When it returns, nothing is under way.

        Raises:
            ServiceError: a service did not answer within its attempts, or not with an answer.
        """
        one_by_one = self._features.unary_only or self._inference.unary_only
        windows_max = 1 if one_by_one else self._calls.batch_windows
        chunks = list(chunks_of(evaluations, windows_max, self._calls.batch_bytes))
        if self._calls.rpc == "stream":
            return [answer for answers in self._streamed(chunks) for answer in answers]
        if len(chunks) == 1:
            return self._asked(chunks[0])
        return [answer for answers in self._threads.map(self._asked, chunks) for answer in answers]

    def _asked(self, evaluations: Sequence[Evaluation]) -> list[Answer]:
        answers: list[Answer | None] = [None] * len(evaluations)
        for features in self._asked_for_features(evaluations, range(len(evaluations)), answers):
            self._ask_for_predictions(features, answers)
        return _complete(answers)

    def _streamed(self, chunks: Sequence[Sequence[Evaluation]]) -> Iterator[list[Answer]]:
        """Ask about all chunks on one stream to each service; what stays without an answer is asked in batches."""
        asked: list[tuple[_Rows, list[Answer | None]]] = []
        done = 0

        def features() -> Iterator[bytes]:  # runs in a thread of gRPC, which only ends the stream on an error
            ids = [[evaluation.evaluation_id for evaluation in chunk] for chunk in chunks]
            windows = map(window_request, chunks, ids)
            for batch, chunk_ids in zip(self._features.stream(windows, FeatureBatch), ids, strict=False):
                answers: list[Answer | None] = [None] * len(chunk_ids)
                try:
                    rows = self._kept_features(chunk_ids, range(len(chunk_ids)), batch, answers)
                except ServiceError:
                    return
                asked.append((rows, answers))
                yield rows.batch.SerializeToString()

        if not (self._features.unary_only or self._inference.unary_only):
            for predictions in self._inference.stream(features(), PredictionBatch):
                if done == len(asked):
                    break
                rows, answers = asked[done]
                self._keep_predictions(rows, predictions, answers)
                yield _complete(answers)
                done += 1
        yield from self._threads.map(self._asked, chunks[done:])

    def _asked_for_features(
        self, evaluations: Sequence[Evaluation], rows: Sequence[int], answers: list[Answer | None]
    ) -> Iterator[_Rows]:
        """Features of the evaluations ``rows``, in one part or several; the refused ones get their answer here."""
        if self._features.unary_only:
            for row in rows:
                try:
                    batch = self._features_of_one(evaluations[row])
                except RefusedError as error:
                    answers[row] = Refusal(error.status.name, "features", error.message)
                else:
                    yield self._kept_features([evaluations[row].evaluation_id], [row], batch, answers)
            return
        asked = [evaluations[row] for row in rows]
        ids = [evaluation.evaluation_id for evaluation in asked]
        try:
            batch = self._features.batch(window_request(asked, ids), len(rows), FeatureBatch)
        except UnimplementedError:
            self._features.unary_only = True
            yield from self._asked_for_features(evaluations, rows, answers)
        except RefusedError as error:
            if len(rows) == 1:
                answers[rows[0]] = Refusal(error.status.name, "features", error.message)
            else:
                for half in _halves(rows):
                    yield from self._asked_for_features(evaluations, half, answers)
        else:
            yield self._kept_features(ids, rows, batch, answers)

    def _features_of_one(self, evaluation: Evaluation) -> FeatureBatch:
        times, *sensors = (column.tolist() for column in evaluation.window())
        events = [
            RawEvent(device_id=evaluation.device_id, time=time, sensor1=s1, sensor2=s2, sensor3=s3, sensor4=s4)
            for time, s1, s2, s3, s4 in zip(times, *sensors, strict=True)
        ]
        try:
            request = RawEventList(device_id=evaluation.device_id, event=events).SerializeToString()
            answer = self._features.unary(request, FeatureList)
        except UnimplementedError:
            raise self._features.unknown() from None
        return FeatureBatch(
            evaluation_id=[evaluation.evaluation_id],
            device_id=[evaluation.device_id],
            name=[feature.name for feature in answer.feature],
            values=array("f", (feature.value for feature in answer.feature)).tobytes(),
        )

    def _kept_features(
        self, ids: list[str], rows: Sequence[int], batch: FeatureBatch, answers: list[Answer | None]
    ) -> _Rows:
        """Check an answer about ``rows`` against the ids that were asked about, and take the rows out that failed."""
        row_bytes = 4 * len(batch.name)
        if len(batch.evaluation_id) != len(rows) or len(batch.values) != row_bytes * len(rows):
            raise self._features.garbage(f"{len(batch.evaluation_id)} rows of features to {len(rows)} windows")
        if batch.evaluation_id != ids:
            raise self._features.garbage("rows of other evaluations than it was asked about, or in another order")
        twice = _repeated(batch.name)
        infinite = _not_finite(batch)
        if not (batch.error or twice is not None or infinite):
            return _Rows(rows, batch)
        for row, name in infinite.items():
            answers[rows[row]] = Refusal("INTERNAL", "features", f"feature: {name} is not finite")
        if twice is not None:
            for row in rows:
                answers[row] = Refusal("INTERNAL", "features", f"feature: {twice} is repeated")
        for error in batch.error:
            if error.row >= len(rows):
                raise self._features.garbage(f"an error in row {error.row} to {len(rows)} windows")
            answers[rows[error.row]] = Refusal(status_name(error.code), "features", error.message)
        return _selected(_Rows(rows, batch), [row for row in range(len(rows)) if answers[rows[row]] is None])

    def _ask_for_predictions(self, features: _Rows, answers: list[Answer | None]) -> None:
        """Predictions of some evaluations, or their refusals, into ``answers``."""
        if not features.rows:
            return
        if self._inference.unary_only:
            for row in range(len(features.rows)):
                self._ask_for_one_prediction(_selected(features, [row]), answers)
            return
        try:
            request = features.batch.SerializeToString()
            predictions = self._inference.batch(request, len(features.rows), PredictionBatch)
        except UnimplementedError:
            self._inference.unary_only = True
            self._ask_for_predictions(features, answers)
        except RefusedError as error:
            if len(features.rows) == 1:
                answers[features.rows[0]] = Refusal(error.status.name, "inference", error.message)
            else:
                for half in _halves(range(len(features.rows))):
                    self._ask_for_predictions(_selected(features, half), answers)
        else:
            self._keep_predictions(features, predictions, answers)

    def _ask_for_one_prediction(self, features: _Rows, answers: list[Answer | None]) -> None:
        [values] = _values(features.batch)
        request = FeatureList(
            device_id=features.batch.device_id[0],
            feature=[Feature(name=name, value=value) for name, value in zip(features.batch.name, values, strict=True)],
        )
        [row] = features.rows
        try:
            answer = self._inference.unary(request.SerializeToString(), OriginalPrediction)
        except UnimplementedError:
            raise self._inference.unknown() from None
        except RefusedError as error:
            answers[row] = Refusal(error.status.name, "inference", error.message)
        else:
            named = dict(zip(features.batch.name, values, strict=True))
            answers[row] = Prediction(named, answer.modelId, dict(answer.result))

    def _keep_predictions(self, features: _Rows, predictions: PredictionBatch, answers: list[Answer | None]) -> None:
        """Check an answer against what was asked, and put its rows where they belong."""
        rows, keys, texts = features.rows, list(predictions.key), list(predictions.value)
        if len(predictions.evaluation_id) != len(rows) or len(texts) != len(keys) * len(rows):
            raise self._inference.garbage(
                f"{len(predictions.evaluation_id)} predictions to {len(rows)} rows of features"
            )
        if predictions.evaluation_id != features.batch.evaluation_id:
            raise self._inference.garbage("rows of other evaluations than it was asked about, or in another order")
        if (twice := _repeated(keys)) is not None:
            for row in rows:
                answers[row] = Refusal("INTERNAL", "inference", f"result: {twice} is repeated")
        for error in predictions.error:
            if error.row >= len(rows):
                raise self._inference.garbage(f"an error in row {error.row} to {len(rows)} rows of features")
            answers[rows[error.row]] = Refusal(status_name(error.code), "inference", error.message)
        names, model_id = list(features.batch.name), predictions.model_id
        texts_of_rows = zip(*[iter(texts)] * len(keys), strict=True) if keys else [()] * len(rows)
        for row, values, result in zip(rows, _values(features.batch), texts_of_rows, strict=True):
            if answers[row] is None:
                answers[row] = Prediction(
                    dict(zip(names, values, strict=True)), model_id, dict(zip(keys, result, strict=True))
                )


def _values(batch: FeatureBatch) -> list[list[float]]:
    """The matrix of a batch as lists, row by row."""
    values: list[list[float]] = np.frombuffer(batch.values, "<f4").reshape(-1, len(batch.name) or 1).tolist()
    return values or [[] for _ in batch.evaluation_id]


def _not_finite(batch: FeatureBatch) -> dict[int, str]:
    """The rows with a feature that JSON has no number for, and its name: an output would hold null in its place."""
    finite = np.isfinite(np.frombuffer(batch.values, "<f4"))
    if finite.all():
        return {}
    bad_rows, bad_columns = np.nonzero(~finite.reshape(-1, len(batch.name)))
    return {int(row): batch.name[column] for row, column in zip(bad_rows[::-1], bad_columns[::-1], strict=True)}


def _repeated(names: Sequence[str]) -> str | None:
    """A name that is there twice: in an output one of the two would be lost."""
    return None if len(set(names)) == len(names) else next(name for name in names if list(names).count(name) > 1)


def _selected(features: _Rows, chosen: Sequence[int]) -> _Rows:
    """Some rows of a part, by their number in it."""
    batch = features.batch
    row_bytes = 4 * len(batch.name)
    return _Rows(
        [features.rows[row] for row in chosen],
        FeatureBatch(
            evaluation_id=[batch.evaluation_id[row] for row in chosen],
            device_id=[batch.device_id[row] for row in chosen],
            name=batch.name,
            values=b"".join(batch.values[row_bytes * row : row_bytes * (row + 1)] for row in chosen),
        ),
    )


def _halves(rows: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def _complete(answers: list[Answer | None]) -> list[Answer]:
    complete = [answer for answer in answers if answer is not None]
    assert len(complete) == len(answers)
    return complete
