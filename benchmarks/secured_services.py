"""What TLS, tokens and gzip cost, and how the Java feature service compares with the Python one; a minute or so each.

Ratios of one run on one machine: windows of 300 events, one a call as the original demo asks, and batches of 256. The
servers are processes of their own, as ``latecomer serve`` starts them; the callers are threads of this process, which
send bytes that are ready and do not read the answers.

    python -m benchmarks.secured_services
"""

import gzip
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import grpc
import numpy as np

from benchmarks.feature_service import EVENTS, WINDOWS, batch_request, calls_rate, original_request
from dataflows.services.embedded import embedded_service

__all__ = ["languages", "security"]

_METHODS: Final = {
    "original, unary": "/mlpipeline.FeatureEngineeringService/engineerFeatures",
    "batch": "/latecomer.v1.FeatureService/EngineerFeatures",
}
_LANGUAGES: Final = ("python", "java")
_CALLERS: Final = (1, 8)
_WARM_UP_S: Final = {"python": 0.5, "java": 2.0}
"""A JVM compiles what is called often, while it is called."""

_ROUNDS: Final = 3
_OPTIONS: Final = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]


class _Access(NamedTuple):
    """What a server asks for, and what its callers show."""

    server: list[str]
    credentials: grpc.ChannelCredentials
    token: tuple[tuple[str, str], ...]


def languages(seconds: float = 2.0) -> dict[tuple[str, int, str], float]:
    """Java against Python: windows/s by kind of call, callers, and language; prints a table."""
    requests = _requests()
    rates = {}
    for language in _LANGUAGES:
        with embedded_service("features", "--language", language) as address, _plain(address) as channel:
            for (kind, request), callers in product(requests.items(), _CALLERS):
                _say(f"{language}, {kind}, {callers} at once")
                _rate(channel, kind, request, _WARM_UP_S[language], callers)
                rates[kind, callers, language] = _rate(channel, kind, request, seconds, callers)
    print(f"windows of {EVENTS} events, batches of {WINDOWS}, {seconds:g} s each, plain, loopback; windows/s")
    for kind, callers in product(requests, _CALLERS):
        python, java = (rates[kind, callers, language] for language in _LANGUAGES)
        name = f"{kind}, {callers} caller{'s' * (callers > 1)}"
        print(f"  {name:<28}Python{python:>10,.0f}    Java{java:>10,.0f}    Java/Python{java / python:>6.2f}")
    return rates


def security(seconds: float = 1.2) -> dict[tuple[str, str, str], float]:
    """The cost of each protection: windows/s by language, kind of call, and protection; prints a table of ratios.

    All servers of a language run at once and are asked in rounds, so that what else the machine does costs each alike;
    the best round counts.
    """
    requests = _requests()
    rates: dict[tuple[str, str, str], float] = defaultdict(float)
    with _access() as access:
        for language in _LANGUAGES:
            with ExitStack() as ends:
                _say(f"{language}, warming up")
                channels = dict(_channels(language, access, ends))
                asked = list(product(channels.items(), requests.items()))
                for (_, (channel, metadata)), (kind, request) in asked:
                    _rate(channel, kind, request, _WARM_UP_S[language], 1, metadata)
                for number in range(1, _ROUNDS + 1):
                    _say(f"{language}, round {number} of {_ROUNDS}")
                    for (name, (channel, metadata)), (kind, request) in asked:
                        rate = _rate(channel, kind, request, seconds / _ROUNDS, 1, metadata)
                        rates[language, kind, name] = max(rates[language, kind, name], rate)
    how = f"one caller, {_ROUNDS} times {seconds / _ROUNDS:g} s each, loopback"
    print(f"{how}; the time of a call as a ratio to that of a plain one")
    for language, kind in product(_LANGUAGES, requests):
        plain = rates[language, kind, "plain"]
        ratios = [f"{name}{plain / rates[language, kind, name]:>6.2f}" for name in channels if name != "plain"]
        token = rates[language, kind, "TLS"] / rates[language, kind, "TLS, token"]
        print(f"  {language + ', ' + kind:<24}" + "    ".join([*ratios, f"token alone{token:>6.2f}"]))
    _print_where_gzip_pays(rates, requests)
    return rates


def _channels(
    language: str, access: _Access, ends: ExitStack
) -> Iterator[tuple[str, tuple[grpc.Channel, tuple[tuple[str, str], ...]]]]:
    """By what protects it, a channel to a server of its own, and what goes with each call."""
    tls = access.server[:2]
    gzip_requests = grpc.Compression.Gzip
    wanted: list[tuple[str, list[str], Callable[[str], Any], tuple[tuple[str, str], ...]]] = [
        ("plain", [], _plain, ()),
        ("gzip", ["--compression=gzip"], lambda address: _plain(address, gzip_requests), ()),
        ("gzip answers", ["--compression=gzip"], _plain, ()),
        ("TLS", tls, lambda address: _secure(address, access), ()),
        ("TLS, token", access.server, lambda address: _secure(address, access), access.token),
        ("TLS, gzip", [*tls, "--compression=gzip"], lambda address: _secure(address, access, gzip_requests), ()),
    ]
    for name, options, channel_to, metadata in wanted:
        address = ends.enter_context(embedded_service("features", "--language", language, *options))
        yield name, (ends.enter_context(channel_to(address)), metadata)


def _print_where_gzip_pays(rates: dict[tuple[str, str, str], float], requests: dict[str, bytes]) -> None:
    """A network slower than this takes longer for the bytes that gzip saves than gzip does."""
    for kind, request in requests.items():
        saved_bits = 8 * (len(request) - len(gzip.compress(request, 6)))
        windows = WINDOWS if kind == "batch" else 1
        for language in _LANGUAGES:
            more_s = windows / rates[language, kind, "gzip"] - windows / rates[language, kind, "plain"]
            pays = f"pays below {saved_bits / more_s / 1e6:,.0f} Mbit/s" if more_s > 0 else "costs nothing"
            share = saved_bits / 8 / len(request)
            print(f"  gzip, {language}, {kind}: {share:.0%} of {len(request):,} bytes saved, {pays} for one caller")


def _say(what: str) -> None:
    """How far it has come, beside the table."""
    print(f"measuring {what}", file=sys.stderr, flush=True)


def _requests() -> dict[str, bytes]:
    """Readings with one decimal, as sensors send them; of random bits gzip saves the times alone."""
    one, many = original_request(), batch_request()
    for event in one.event:
        for sensor in ("sensor1", "sensor2", "sensor3", "sensor4"):
            setattr(event, sensor, round(20 + 5 * getattr(event, sensor), 1))
    readings = np.round(20 + 5 * np.frombuffer(many.readings, "<f4"), 1)
    many.readings = readings.astype("<f4").tobytes()
    return {"original, unary": one.SerializeToString(), "batch": many.SerializeToString()}


def _rate(
    channel: grpc.Channel,
    kind: str,
    request: bytes,
    seconds: float,
    callers: int,
    metadata: tuple[tuple[str, str], ...] = (),
) -> float:
    method = channel.unary_unary(_METHODS[kind], None, None)
    calls = calls_rate(lambda data: method(data, metadata=metadata), request, seconds, callers)
    return calls * (WINDOWS if kind == "batch" else 1)


def _plain(address: str, compression: grpc.Compression | None = None) -> grpc.Channel:
    return grpc.insecure_channel(address, _OPTIONS, compression)


def _secure(address: str, access: _Access, compression: grpc.Compression | None = None) -> grpc.Channel:
    port = address.rpartition(":")[2]
    return grpc.secure_channel(f"localhost:{port}", access.credentials, _OPTIONS, compression)


@contextmanager
def _access() -> Iterator[_Access]:
    """A certificate and a token for the time of the benchmark."""
    from tests.authority import Authority, Issuer  # a checkout has it, and so it has the Java services

    with TemporaryDirectory() as folder:
        authority, issuer = Authority(Path(folder)), Issuer(Path(folder))
        pair = authority.issue("server")
        tls = [f"--tls-cert={pair.cert}", f"--tls-key={pair.key}"]
        tokens = [f"--jwks={issuer.jwks}", f"--issuer={issuer.NAME}", f"--audience={issuer.AUDIENCE}"]
        trusted = grpc.ssl_channel_credentials(Path(authority.path).read_bytes())
        yield _Access([*tls, *tokens], trusted, (("authorization", f"Bearer {issuer.token()}"),))


if __name__ == "__main__":
    given = list(map(float, sys.argv[1:2]))
    languages(*given)
    security(*given)
