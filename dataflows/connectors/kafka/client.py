"""Configures clients of a Kafka broker: the location of the topic, and the user's properties file.

Nothing here prints what the file holds: it has the passwords.
"""

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from dataflows.settings import KAFKA_SCHEME
from runtime.errors import CommandError, SettingsError

__all__ = [
    "BrokerError",
    "KafkaLocation",
    "client_settings",
    "java_properties",
    "kafka_location",
    "producer_settings",
    "properties_in",
    "read_properties",
    "without_values",
]

_PASSED_ON: Final = ("security.protocol", "sasl.", "ssl.", "client.", "enable.ssl.certificate.verification")
"""What a properties file may hold, in librdkafka's names. Delivery guarantees depend on the rest, so it is fixed."""

_BATCH_HEAD_BYTES: Final = 512
"""Room for what a batch holds beside its records: 61 bytes, and what a later format may add."""

_SILENT: Final = logging.getLogger("latecomer.kafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class BrokerError(CommandError):
    """A Kafka broker failed. The message says in one line why, and what to do."""


class KafkaLocation(NamedTuple):
    """A topic.

    Attributes:
        brokers: ``HOST:PORT[,HOST:PORT]``.
        topic: its name.
    """

    brokers: str
    topic: str

    def __str__(self) -> str:
        return f"{KAFKA_SCHEME}{self.brokers}/{self.topic}"


def kafka_location(flag: str, text: str) -> KafkaLocation:
    """The topic that ``kafka://HOST:PORT[,HOST:PORT]/TOPIC`` names.

    Raises:
        SettingsError: it is not written so.

    >>> kafka_location("--input", "kafka://a:9092,b:9092/raw-events")
    KafkaLocation(brokers='a:9092,b:9092', topic='raw-events')
    """
    brokers, _, topic = text.removeprefix(KAFKA_SCHEME).partition("/")
    is_name = 0 < len(topic) <= 249 and all(c.isascii() and (c.isalnum() or c in "._-") for c in topic)
    if not is_name or topic in {".", ".."} or not all(map(_is_address, brokers.split(","))):
        raise SettingsError(f"{flag} must be written {KAFKA_SCHEME}HOST:PORT[,HOST:PORT]/TOPIC, not {text}")
    return KafkaLocation(brokers, topic)


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and "@" not in host and port.isdecimal() and 0 < int(port) < 65_536


def read_properties(path: str | None) -> dict[str, str]:
    """The Kafka properties in a file. Raises as ``properties_in`` does."""
    passed_on = "security.protocol, sasl.*, ssl.* or client.*"
    return {} if path is None else properties_in("--kafka-properties", path, _PASSED_ON, passed_on)


def properties_in(flag: str, path: str, beginnings: tuple[str, ...], known: str) -> dict[str, str]:
    """The properties in a file: a line each, ``name=value``; lines that begin with ``#`` are comments.

    Args:
        flag: the option that names the file.
        path: the file.
        beginnings: of the names that it may hold.
        known: these, for errors.
    Raises:
        SettingsError: it cannot be read, or has a line that is none of this; no value is ever repeated.
    """
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{flag} {path}: {getattr(error, 'strerror', None) or 'it is not a text file'}") from None
    properties = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise SettingsError(f"{flag} {path}, line {number}: it must be written name=value")
        if not name.startswith(beginnings):  # nor is the name repeated: the line may be the second half of a secret
            raise SettingsError(f"{flag} {path}, line {number}: it is not {known}")
        properties[name] = value
    return properties


def without_values(text: str, properties: Mapping[str, str]) -> str:
    """What a library says about properties, without any value of theirs.

    >>> without_values('Invalid value "hunter2" for "sasl.password"', {"sasl.password": "hunter2"})
    'Invalid value "***" for "sasl.password"'
    """
    for value in filter(None, properties.values()):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "***", text)
    return text


def client_settings(
    brokers: str, properties: Mapping[str, str], on_error: Callable[[Any], None] | None = None, **settings: Any
) -> dict[str, Any]:
    """The settings of a client of librdkafka that says nothing on its own.

    Args:
        brokers: ``HOST:PORT[,HOST:PORT]``.
        properties: those of the user's file.
        on_error: told of errors that belong to no call, such as a broker that is away.
        settings: of this client, with underscores for points.
    """
    ours = {name.replace("_", "."): value for name, value in settings.items()}
    return {
        "bootstrap.servers": brokers,
        "logger": _SILENT,
        "error_cb": on_error or _ignored,
        "reconnect.backoff.max.ms": 1_000,  # by default it is 10 s, most of an outage of a few seconds
        **ours,
        **properties,
    }


def _ignored(error: object) -> None:
    """Log nothing: an unavailable broker comes back, and a permanent error fails the call that meets it."""


def producer_settings(
    brokers: str,
    properties: Mapping[str, str],
    max_message_bytes: int | None = None,
    on_error: Callable[[Any], None] | None = None,
) -> dict[str, Any]:
    """The settings of a producer that loses, repeats and reorders nothing, and puts a key where Java's client puts it.

    Args:
        brokers: ``HOST:PORT[,HOST:PORT]``.
        properties: those of the user's file.
        max_message_bytes: largest batch of records that the topic takes.
        on_error: told of errors that belong to no call.
    """
    limit = (
        {} if max_message_bytes is None else {"message_max_bytes": max(max_message_bytes - _BATCH_HEAD_BYTES, 1_000)}
    )
    return client_settings(
        brokers,
        properties,
        on_error,
        enable_idempotence=True,
        partitioner="murmur2_random",
        message_timeout_ms=0,  # none: an outage may last
        delivery_report_only_error=True,
        queue_buffering_max_kbytes=65_536,  # 100,000 predictions; by default it is 1 GiB
        **limit,
    )


_LOGIN_MODULES: Final = {
    "PLAIN": "plain.PlainLoginModule",
    "SCRAM-SHA-256": "scram.ScramLoginModule",
    "SCRAM-SHA-512": "scram.ScramLoginModule",
    "OAUTHBEARER": "oauthbearer.OAuthBearerLoginModule",
}

_LOGIN_OPTIONS: Final = {
    "sasl.username": "username",
    "sasl.password": "password",
    "sasl.oauthbearer.client.id": "clientId",
    "sasl.oauthbearer.client.secret": "clientSecret",
    "sasl.oauthbearer.scope": "scope",
}

_FILES: Final = {
    "ssl.certificate.location": "ssl.keystore.certificate.chain",
    "ssl.key.location": "ssl.keystore.key",
}

_NAMED_FILES: Final = {
    "ssl.ca.location": "ssl.truststore.location",
    "ssl.keystore.location": "ssl.keystore.location",
}
"""Java is given their path, and may stand in another folder."""

_RENAMED: Final = {
    "ssl.ca.pem": "ssl.truststore.certificates",
    "ssl.certificate.pem": "ssl.keystore.certificate.chain",
    "ssl.key.pem": "ssl.keystore.key",
}

_NOT_IN_JAVA: Final = (
    "enable.ssl.certificate.verification",
    "ssl.crl.location",
    "ssl.engine.location",
    "ssl.curves.list",
)


def java_properties(
    properties: Mapping[str, str], package: str = "", read: Callable[[str], str] = lambda path: Path(path).read_text()
) -> dict[str, str]:
    """The same properties in the names of Kafka's Java client.

    Args:
        properties: in librdkafka's names.
        package: what stands before ``org.apache.kafka`` in a client that was moved, with the point at its end.
        read: gives the text of a file.
    Raises:
        SettingsError: Java has no such property.

    >>> java_properties({"ssl.ca.location": "/etc/ca.pem"})
    {'ssl.truststore.location': '/etc/ca.pem', 'ssl.truststore.type': 'PEM'}
    """
    mechanism = properties.get("sasl.mechanisms") or properties.get("sasl.mechanism")
    security = f"{package}org.apache.kafka.common.security"
    java: dict[str, str] = {}
    for name, value in properties.items():
        if name in _NOT_IN_JAVA:
            raise SettingsError(f"--kafka-properties: {name} has no counterpart in Kafka's Java client")
        if name in _FILES:
            java[_FILES[name]] = read(value)
        elif name in _NAMED_FILES:
            java[_NAMED_FILES[name]] = str(Path(value).absolute())
        elif name in {"sasl.mechanisms", "sasl.mechanism"}:
            java["sasl.mechanism"] = value
        elif name == "sasl.oauthbearer.method":
            handler = f"{security}.oauthbearer.OAuthBearerLoginCallbackHandler"
            java["sasl.login.callback.handler.class"] = handler
        elif name == "ssl.endpoint.identification.algorithm":
            java[name] = "" if value == "none" else value
        elif name not in _LOGIN_OPTIONS:
            java[_RENAMED.get(name, name)] = value
    if any(name.startswith("ssl.truststore.") for name in java):
        java["ssl.truststore.type"] = "PEM"
    if "ssl.keystore.key" in java:
        java["ssl.keystore.type"] = "PEM"
    elif "ssl.keystore.location" in java:
        java["ssl.keystore.type"] = "PKCS12"
    if mechanism in _LOGIN_MODULES:
        options = "".join(
            f" {option}={_quoted(properties[name])}" for name, option in _LOGIN_OPTIONS.items() if name in properties
        )
        java["sasl.jaas.config"] = f"{security}.{_LOGIN_MODULES[mechanism]} required{options};"
    return java


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
