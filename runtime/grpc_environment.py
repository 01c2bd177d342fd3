"""What gRPC takes from the environment of a process, unless that says something else."""

import os
from typing import Final

__all__ = ["prepare_grpc"]

_DEFAULTS: Final = {
    # What a service does is told in lines of our own; a stranger who speaks no TLS is none.
    "GRPC_VERBOSITY": "NONE",
    # gRPC looks at a connection without a call this often only, by default every 5 s. A client that rests finishes no
    # handshake so: the server ends the connection after 10 s, the client begins another one, and so on.
    "GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS": "200",
}
"""Source: gRPC, doc/environment_variables.md."""


def prepare_grpc() -> None:
    """Set them. To be called before the first channel or server is made."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
