"""What both engines do with the outputs of the windows: ask the services, and write each output as a record."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from dataflows.metrics import Metrics
from dataflows.records import encoded_prediction, encoded_refusal, encoded_rejection
from dataflows.services.client import Answer, Refusal, ServiceClient
from dataflows.window_step import LocatedOutput
from window_core import Evaluation

__all__ = ["OutputKind", "OutputRecord", "PredictionStep"]

OutputKind = Literal["predictions", "rejections"]


class OutputRecord(NamedTuple):
    """One record to write.

    Attributes:
        kind: which of the outputs it belongs to.
        key: the device id; empty if the record is of none.
        value: canonical JSON.
    """

    kind: OutputKind
    key: str
    value: bytes


class PredictionStep:
    """Turns outputs of windows into records, in the same order."""

    def __init__(self, client: ServiceClient, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics

    def records(self, located: Sequence[LocatedOutput]) -> list[OutputRecord]:
        """One record for each output. When it returns, no call is under way.

        Raises:
            ServiceError: a service could not be worked with.
        """
        evaluations = [entry.output for entry in located if isinstance(entry.output, Evaluation)]
        answers = iter(self._client.answers(evaluations))
        records = []
        causes: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for output, position in located:
            if isinstance(output, Evaluation):
                causes[output.cause] += 1
                answer = next(answers)
                records.append(_record_of(output, position, answer))
                if isinstance(answer, Refusal):
                    reasons["REFUSED"] += 1
            else:
                assert position is not None
                reasons[output.reason] += 1
                value = encoded_rejection(output, position)
                records.append(OutputRecord("rejections", output.event.device_id, value))
        for cause, number in causes.items():
            self._metrics.evaluations.labels(cause).inc(number)
        for reason, number in reasons.items():
            self._metrics.rejections.labels(reason).inc(number)
        return records


def _record_of(evaluation: Evaluation, position: str | None, answer: Answer) -> OutputRecord:
    if isinstance(answer, Refusal):
        value = encoded_refusal(evaluation, answer.status, answer.service)
        return OutputRecord("rejections", evaluation.device_id, value)
    return OutputRecord("predictions", evaluation.device_id, encoded_prediction(evaluation, position, *answer))
