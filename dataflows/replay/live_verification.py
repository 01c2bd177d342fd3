"""The outputs of a run on a topic, compared with what they should be as both go on: each is read once."""

from collections.abc import Callable, Container
from itertools import islice
from typing import TYPE_CHECKING, Final

from dataflows.replay.expected_outputs import expected_outputs, without_answers
from dataflows.replay.live_replay import LiveReplay
from dataflows.replay.verification import Verification
from dataflows.replay.written_outputs import FollowedOutputs
from dataflows.settings import RunSettings

if TYPE_CHECKING:
    from dataflows.services.client import ServiceClient

__all__ = ["LiveVerification"]

_AT_ONCE: Final = 8_192
"""Outputs read of one side before the other: what both have is dropped, and a long topic takes no more memory."""


class LiveVerification:
    """What was found so far; ``look`` reads what is new."""

    def __init__(
        self, settings: RunSettings, devices: Container[str], grace_ms: int, say: Callable[[str], None]
    ) -> None:
        """Open the log and the outputs; nothing is read yet.

        Args:
            settings: of the run; the log has no end.
            devices: those whose outputs are looked at; empty: all.
            grace_ms: how far a run may be behind its log.
            say: takes a line for the user.
        Raises:
            SettingsError: there is no such log, or no such output.
            BrokerError: the broker is away.
        """
        self._settings: Final = settings
        self._devices: Final = devices
        self._grace_ms: Final = grace_ms
        self._say: Final = say
        self._written: Final = FollowedOutputs(settings, say)
        self._begin()

    def _begin(self) -> None:
        self.replay = LiveReplay(self._settings, self._devices, self._say)
        self.found = Verification(self._devices, is_under_way=True, follows=True)

    def look(self, client: "ServiceClient | None") -> Verification:
        """Read what is new on both sides.

        Args:
            client: of the services; ``None``: what they say is not compared.
        Raises:
            ServiceError: a service failed.
            BrokerError: records are gone meanwhile, or the broker is away.
        """
        if self._written.are_anew():
            self._begin()
        found = self.found
        outputs, expected = self._written.new(), expected_outputs(self.replay, client)
        is_left = True
        while is_left:
            is_left = False
            for kind, line in islice(outputs, _AT_ONCE):
                found.see(*((kind, line) if client is not None else without_answers(kind, line)))
                is_left = True
            for alike in islice(expected, _AT_ONCE):
                found.expect(*alike)
                is_left = True
        clocks_ms = [clock_ms or 0 for clock_ms in self.replay.clocks_ms.values()]
        found.settle(max(clocks_ms) - self._grace_ms, min(clocks_ms) - self._grace_ms)
        return found
