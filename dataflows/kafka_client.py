"""How a client of a Kafka broker is set up so that it says what is wrong once, in our words, and not on its own."""

import logging
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["client_settings"]

_SILENT: Final = logging.getLogger("latecomer.kafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def client_settings(brokers: str, properties: Mapping[str, str], **settings: Any) -> dict[str, Any]:
    """The settings of a client of librdkafka.

    Args:
        brokers: ``HOST:PORT[,HOST:PORT]``.
        properties: from the user's file; they win over what we would set.
        settings: of this client, with underscores for points.
    """
    ours = {name.replace("_", "."): value for name, value in settings.items()}
    return {"bootstrap.servers": brokers, "logger": _SILENT, "error_cb": _ignored, **ours, **properties}


def _ignored(error: object) -> None:
    """A broker that is away comes back, and what cannot pass fails the call that needs it: nothing is to be said."""
