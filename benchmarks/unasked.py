"""In the place of both services: evaluations as a run writes them, without features and predictions."""

from dataflows.pipeline.device import LocatedOutput
from dataflows.pipeline.output_codec import encoded_prediction
from dataflows.pipeline.record import OutputRecord
from window_core import Evaluation

__all__ = ["Unasked"]


class Unasked:
    """Stands where a run has its ``PredictionStep``."""

    def records(self, outputs: list[LocatedOutput]) -> list[OutputRecord]:
        return [
            OutputRecord("predictions", output.device_id, encoded_prediction(output, position, {}, "", {}))
            for output, position in outputs
            if isinstance(output, Evaluation)
        ]
