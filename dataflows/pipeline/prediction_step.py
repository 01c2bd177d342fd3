"""What both engines do with the outputs of windows: ask the services, and turn each output into a record."""

from collections import Counter
from collections.abc import Sequence

from dataflows.pipeline.device import LocatedOutput
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.output_codec import encoded_prediction, encoded_refusal, encoded_rejection
from dataflows.pipeline.record import OutputRecord
from dataflows.services.answers import Answer, Prediction, Refusal
from dataflows.services.client import ServiceClient
from runtime.traces import NO_TRACES, Traces
from window_core import Evaluation, Rejection, Sensors

__all__ = ["PredictionStep"]


class PredictionStep:
    """Turns outputs of windows into records, in the same order."""

    def __init__(self, client: ServiceClient, sensors: Sensors, metrics: Metrics, traces: Traces = NO_TRACES) -> None:
        self._client = client
        self._sensors = sensors
        self._metrics = metrics
        self._traces = traces

    def records(self, located: Sequence[LocatedOutput]) -> list[OutputRecord]:
        """One record for each output. When it returns, no call is in flight.

        Raises:
            ServiceError: a service failed.
        """
        evaluations = [output for output, _ in located if isinstance(output, Evaluation)]
        with self._traces.batch() as batch:
            batch.note("outputs", len(located))
            batch.note("evaluations", len(evaluations))
            if evaluations:
                batch.note("first_evaluation", evaluations[0].evaluation_id)
                batch.note("last_evaluation", evaluations[-1].evaluation_id)
            answers = self._client.answers(evaluations)
        rejections = [output.reason for output, _ in located if isinstance(output, Rejection)]
        refusals = ["REFUSED" for answer in answers if isinstance(answer, Refusal)]
        for cause, number in Counter(evaluation.cause for evaluation in evaluations).items():
            self._metrics.evaluations.labels(cause).inc(number)
        for reason, number in Counter([*rejections, *refusals]).items():
            self._metrics.rejections.labels(reason).inc(number)
        for evaluation, answer in zip(evaluations, answers, strict=True):
            if isinstance(answer, Refusal):
                said = f"{answer.service}, {answer.status}: {answer.message}"
                self._metrics.caused("REFUSED", said, evaluation.evaluation_id)
        given = iter(answers)
        return [
            _answered(output, position, next(given))
            if isinstance(output, Evaluation)
            else self._rejected(output, position)
            for output, position in located
        ]

    def _rejected(self, rejection: Rejection, position: str | None) -> OutputRecord:
        assert position is not None  # a tick is never rejected
        value = encoded_rejection(rejection, position, self._sensors)
        return OutputRecord("rejections", rejection.event.device_id, value)


def _answered(evaluation: Evaluation, position: str | None, answer: Answer) -> OutputRecord:
    if isinstance(answer, Prediction):
        value = encoded_prediction(evaluation, position, answer.features, answer.model_id, answer.result)
        return OutputRecord("predictions", evaluation.device_id, value)
    value = encoded_refusal(evaluation, position, answer.status, answer.service, answer.message)
    return OutputRecord("rejections", evaluation.device_id, value)
