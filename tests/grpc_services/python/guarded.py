"""A server with TLS and tokens, and how it answers."""

from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import ec

from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from tests.authority import Authority, Issuer, Pair
from tests.grpc_services.python.messages import event_list

__all__ = ["ONE_EVENT", "Guarded", "asked"]

ONE_EVENT = [(1, 1.0, 1.0, 1.0, 1.0)]
_OWN_CONNECTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Guarded:
    """A feature server with TLS and the token check."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.issuer = Issuer(folder)
        self.issuer.keys["elliptic"] = ec.generate_private_key(ec.SECP256R1())
        self.issuer.publish()
        self.pair = self.authority.issue("server")
        self.server = start(self.settings())
        self.channel = self.new_channel()

    def settings(self, **changes):
        given = {
            "port": 0,
            "tls_cert": self.pair.cert,
            "tls_key": self.pair.key,
            "jwks": self.issuer.jwks,
            "issuer": Issuer.NAME,
            "audience": Issuer.AUDIENCE,
        }
        return ServerSettings.of("features", **given | changes)

    def new_channel(self, authority: Authority | None = None, pair: Pair | None = None, port: int | None = None):
        trusted = Path((authority or self.authority).path).read_bytes()
        shown = [Path(name).read_bytes() for name in (pair.key, pair.cert)] if pair else [None, None]
        credentials = grpc.ssl_channel_credentials(trusted, *shown)
        return grpc.secure_channel(f"127.0.0.1:{port or self.server.port}", credentials, _OWN_CONNECTIONS)

    def answer(self, *tokens: str, kind: str = "Bearer"):
        """How the server answers to a call with these tokens: the status and its text, ``None`` for a success."""
        metadata = [("authorization", f"{kind} {token}") for token in tokens]
        return asked(self.channel, metadata)


def asked(channel: grpc.Channel, metadata=()):
    try:
        mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(
            event_list(ONE_EVENT), metadata=metadata
        )
    except grpc.RpcError as error:
        return error.code(), error.details()
    return None
