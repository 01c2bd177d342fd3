"""The two calls for one window, one after the other, by the methods of the original demo."""

import json

import grpc

from grpc_services.python.stubs.mlpipeline_pb2 import RawEvent, RawEventList
from grpc_services.python.stubs.mlpipeline_pb2_grpc import FeatureEngineeringServiceStub, PredictionServiceStub

__all__ = ["UsualServices"]

Row = tuple[int, float, float, float, float]


class UsualServices:
    def __init__(self, features: str, inference: str) -> None:
        self._features = FeatureEngineeringServiceStub(grpc.insecure_channel(features))
        self._inference = PredictionServiceStub(grpc.insecure_channel(inference))

    def prediction(self, device_id: str, window: list[Row]) -> str:
        """The JSON to write for a window, ordered by time."""
        events = [
            RawEvent(device_id=device_id, time=row[0], sensor1=row[1], sensor2=row[2], sensor3=row[3], sensor4=row[4])
            for row in window
        ]
        features = self._features.engineerFeatures(RawEventList(device_id=device_id, event=events))
        prediction = self._inference.predict(features)
        return json.dumps({"device_id": device_id, "events": len(window), "result": dict(prediction.result)})


def with_event(window: list[Row], row: Row, interval_ms: int) -> list[Row]:
    """The window after one event: inserted by time, and what is older than the interval evicted."""
    if not window or row[0] >= window[-1][0]:
        window.append(row)
    else:
        window = sorted([*window, row])
    lower_end_ms = window[-1][0] - interval_ms
    return [kept for kept in window if kept[0] >= lower_end_ms]
