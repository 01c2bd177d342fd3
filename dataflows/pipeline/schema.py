"""What a schema of the user has to give: the fields of an event, out of a value that does not name them itself."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from dataflows.pipeline.event_layout import EventLayout

__all__ = ["Schema", "SchemaError", "ValueDecoder", "listed"]

_SHOWN: Final = 20


class SchemaError(ValueError):
    """A schema is none, or has no such events in it; the message says what is wrong, not where the schema stands."""


class ValueDecoder(Protocol):
    """Takes values of a topic apart."""

    def values(self, value: bytes) -> dict[str, Any]:
        """The fields of an event under our names, converted by the layout; an optional sensor only where it is.

        Raises:
            EventError: the value does not parse, or a field is missing.
        """


class Schema(Protocol):
    """The schema of the values of a topic. It can be pickled, and so goes where the values are decoded."""

    def decoder(self, layout: EventLayout) -> ValueDecoder:
        """A decoder for events of this layout."""


def listed(names: Sequence[str]) -> str:
    """Names as an error lists them, not all of very many."""
    return (", ".join(names[:_SHOWN]) or "none") + (", …" if len(names) > _SHOWN else "")
