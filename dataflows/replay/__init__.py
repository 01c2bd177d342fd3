"""The log read again: its outputs are a pure function of it, so whatever a run gave can be computed once more."""

from dataflows.replay.replay import Replay

__all__ = ["Replay"]
