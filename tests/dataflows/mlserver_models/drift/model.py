"""The original demo's model, as MLServer loads it. It is run by another environment: nothing of ours is in it."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Drift(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float64)
        scores = 0.006 + rows @ np.array([0.03, 0.05, 0.01, 0.02])
        output = NumpyCodec.encode_output("probability", (1 / (1 + np.exp(-scores))).reshape(-1, 1))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
