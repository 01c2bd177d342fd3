"""Both services asked about evaluations on streams, which live as long as the client.

The feature service keeps the columns of the windows (``sent_columns``). What goes wrong on a stream is not told apart
here: evaluations without an answer are asked about by calls, with their whole windows.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from dataflows.services.answer_bytes import unpacked_answer
from dataflows.services.answers import Answer
from dataflows.services.batch_methods import (
    DESCRIBE_FEATURES,
    STREAM_FEATURES,
    STREAM_PREDICTIONS,
    read_predictions,
    read_streamed_features,
)
from dataflows.services.calls import Service
from dataflows.services.chunks import Chunk, FeatureRows, Features
from dataflows.services.errors import AskAgainError, WrongAnswerError
from dataflows.services.methods import decoded
from dataflows.services.sent_columns import SentColumns
from dataflows.services.server_streams import Open, ServerStream, ServerStreams
from dataflows.services.stream import Owed
from dataflows.services.turns import Turn
from dataflows.settings import CallSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription
from window_core import Evaluation, Sensors

__all__ = ["Streams"]

Answers = list[Answer | None]


class _Asked(NamedTuple):
    """A request to the feature service: where it went, its evaluations, their rows in the answers, and what is owed."""

    home: ServerStream[SentColumns]
    opened: Open[SentColumns]
    chunk: Chunk
    rows: Sequence[int]
    owed: Owed


class _Fed(NamedTuple):
    """A request to the inference service: what it was made of, the rows of that in the answers, and what is owed."""

    features: Features
    rows: Sequence[int]
    opened: Open[None] | None
    owed: Owed | None


class Streams:
    """Asks both services on streams; may be used by several threads at once."""

    def __init__(
        self,
        features: Service,
        inference: Service | None,
        predict: Callable[[FeatureRows], list[Answer]],
        sensors: Sensors,
        calls: CallSettings,
    ) -> None:
        """No stream is begun.

        Args:
            features: the feature service.
            inference: the inference service; ``None``: it has no streams.
            predict: asks the latter by calls, where it has no stream.
            sensors: of every row.
            calls: the limits of requests.
        """
        self._predict = predict
        self._sensors: Final = sensors
        self._calls: Final = calls
        self._features: Final = ServerStreams(features, STREAM_FEATURES, self._columns)
        self._inference: Final = (
            None if inference is None else ServerStreams(inference, STREAM_PREDICTIONS, lambda *_: None)
        )

    def close(self) -> None:
        """End all streams."""
        self._features.close()
        if self._inference is not None:
            self._inference.close()

    def answers(self, evaluations: Sequence[Evaluation]) -> Answers:
        """The answer to each evaluation; ``None``: it is to be asked about by a call. Then no request is in flight.

        Raises:
            ServiceError: the client was closed, or the inference service failed.
        """
        answers: Answers = [None] * len(evaluations)
        asked: deque[_Asked] = deque()
        fed: deque[_Fed] = deque()
        in_flight = self._calls.calls_in_flight

        def feed() -> None:
            if len(fed) == in_flight:
                self._complete(fed.popleft(), answers)
            fed.extend(self._fed(asked.popleft()))

        for home, rows in self._features.homes(evaluations).items():
            part = evaluations if isinstance(rows, range) else [evaluations[row] for row in rows]
            start = 0
            with home.turn:
                while start < len(part):
                    if len(asked) == in_flight:
                        feed()
                    found = self._asked(home, part, rows, start)
                    if found is None:
                        break
                    request, start = found
                    asked.append(request)
        while asked:
            feed()
        while fed:
            self._complete(fed.popleft(), answers)
        return answers

    def _columns(self, service: Service, server: Turn) -> SentColumns:
        """What a new stream to the feature service has: nothing, and room as the server says."""
        said = decoded(service.told(server, DESCRIBE_FEATURES), FeatureServiceDescription)
        return SentColumns(self._sensors, said.column_bytes, self._calls.batch_windows, self._calls.batch_bytes)

    def _asked(
        self, home: ServerStream[SentColumns], evaluations: Sequence[Evaluation], rows: Sequence[int], start: int
    ) -> tuple[_Asked, int] | None:
        """Ask a server about evaluations from ``start`` on; and where the next request starts."""
        with home.lock:
            opened = home.current()
            if opened is None:
                return None
            request = opened.kept.request(evaluations, start)
            owed = opened.stream.ask(request.message, len(request.rows))
        if len(request.rows) == request.end - start:
            chunk, asked = evaluations[start : request.end], rows[start : request.end]
        else:
            chunk, asked = [evaluations[row] for row in request.rows], [rows[row] for row in request.rows]
        return _Asked(home, opened, Chunk(chunk), asked, owed), request.end

    def _fed(self, asked: _Asked) -> Iterator[_Fed]:
        """The inference service asked about what the feature service answers, if that is an answer."""
        answer = asked.owed.awaited()
        if answer is None:
            return
        try:
            features, not_held = read_streamed_features(asked.chunk, unpacked_answer(answer))
        except AskAgainError:
            return
        except WrongAnswerError:
            asked.opened.stream.end(is_at_fault=True)
            return
        rows = asked.rows
        if not_held:
            with asked.home.lock:
                for row in not_held:
                    asked.opened.kept.lose(asked.chunk.evaluations[row].columns)
            rows = [one for place, one in enumerate(rows) if place not in not_held]
        yield _Fed(features, rows, *self._sent_on(features.rows))

    def _sent_on(self, rows: FeatureRows) -> tuple[Open[None] | None, Owed | None]:
        """Features on a stream to the inference service, if there can be one."""
        server = self._inference.next() if self._inference is not None and len(rows) else None
        if server is None:
            return None, None
        with server.lock:
            opened = server.current()
            return opened, None if opened is None else opened.stream.ask(rows.serialised(), len(rows))

    def _complete(self, fed: _Fed, answers: Answers) -> None:
        """Note the answers to a request."""
        features, rows, opened, owed = fed
        predictions = self._predictions(features.rows, opened, owed)
        if len(rows) and isinstance(rows, range):
            answers[rows.start : rows.stop] = features.completed(predictions)
            return
        for row, answer in zip(rows, features.completed(predictions), strict=True):
            answers[row] = answer

    def _predictions(self, rows: FeatureRows, opened: Open[None] | None, owed: Owed | None) -> Sequence[Answer]:
        answer = None if owed is None else owed.awaited()
        if opened is not None and answer is not None:
            try:
                return read_predictions(rows, unpacked_answer(answer))
            except AskAgainError:
                pass  # the call tells what follows
            except WrongAnswerError:
                opened.stream.end(is_at_fault=True)
        return self._predict(rows)
