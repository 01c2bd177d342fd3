"""The real services, for what is held against a real run."""

from tests.dataflows.conftest import features_address, inference_address

__all__ = ["features_address", "inference_address"]
