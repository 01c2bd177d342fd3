"""What a run asks about its topics before it starts: whether they exist, who sets their timestamps, where they end."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # ConfigResource is in its documentation
    AdminClient,
    ConfigResource,
    OffsetSpec,
)

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation, client_settings, without_values
from dataflows.connectors.kafka.last_arrival import LastArrival
from runtime.durations import duration_text
from runtime.errors import SettingsError

__all__ = ["BROKERS_CLOCK", "FLEETS_CLOCK", "BoundedLog", "TopicReader", "TopicTraits", "topic_id_of"]

BROKERS_CLOCK: Final = {"message.timestamp.type": "LogAppendTime"}
"""Settings of an input topic: an arrival is the broker's word, not the producer's."""

FLEETS_CLOCK: Final = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
"""Settings of an input topic for a simulated fleet, whose arrivals are of a time of its own, often long past: retention
would remove them."""

Result = TypeVar("Result")

_ASK_AGAIN_S: Final = 1.0
"""How long one question waits for its answer, and so how soon a Ctrl-C is noticed."""

_PAUSE_S: Final = 0.1

_TOPICS_FOLLOW_S: Final = 5.0
"""How long a broker that was away may lack a topic: whoever starts one makes its topics once it answers."""

_AWAY: Final = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)

_NO_TOPIC: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})

_NO_ID: Final = str(Uuid(0, 0))

_NOT_LET_IN: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class BoundedLog:
    """How far a bounded run reads: taken once at its start, and the same for every engine.

    Attributes:
        end_offsets: the offset behind the last record of each partition, from partition 0 on.
        until_ms: the instant up to which the clock runs, by default the largest valid arrival of a record below the
            ends; ``None``: there is no such record.
    """

    end_offsets: tuple[int, ...]
    until_ms: int | None


class TopicTraits(NamedTuple):
    """What matters of a topic.

    Attributes:
        partitions: how many it has.
        is_log_append_time: the broker sets the timestamps, not the producers.
        max_message_bytes: largest batch of records that it accepts; ``None`` if the broker does not say.
        id: which of the topics that ever had its name it is; ``None`` if the broker, one before Kafka 2.8, gives none.
    """

    partitions: int
    is_log_append_time: bool
    max_message_bytes: int | None
    id: str | None


class TopicReader:
    """Asks a broker about one topic, and waits for the broker if it is unavailable."""

    def __init__(
        self,
        flag: str,
        location: KafkaLocation,
        properties: Mapping[str, str],
        wait_ms: int,
        say: Callable[[str], None],
        *,
        made_with: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the questions; nothing is asked yet.

        Args:
            flag: the option that names the topic, for errors.
            location: the topic.
            properties: those of the user's file.
            wait_ms: how long to wait for the broker.
            say: takes a line for the user.
            made_with: settings that its use asks for, for the advice on how to create it.
        Raises:
            SettingsError: a property is wrong.
        """
        self._made_with = made_with or {}
        self._properties = properties
        self._flag = flag
        self._location = location
        self._wait_ms = wait_ms
        self._say = say
        self._seen: KafkaError | None = None
        try:
            self._client = AdminClient(client_settings(location.brokers, properties, self._on_error))
        except KafkaException as error:
            raise SettingsError(f"--kafka-properties: {without_values(error.args[0].str(), properties)}") from None

    def traits(self) -> TopicTraits:
        """What the topic is like.

        Raises:
            SettingsError: it does not exist, or authentication failed.
            BrokerError: the broker stays unavailable.
        """
        topic = self._location.topic
        answer = self._asked(
            lambda: self._client.describe_topics(TopicCollection([topic]), request_timeout=_ASK_AGAIN_S)[topic]
        )
        settings = self._topic_settings()
        max_bytes = settings.get("max.message.bytes")
        return TopicTraits(
            len(answer.partitions),
            settings.get("message.timestamp.type") == "LogAppendTime",
            None if max_bytes is None else int(max_bytes),
            topic_id_of(answer),
        )

    def first_offsets(self, partitions: int, start: str) -> tuple[int, ...]:
        """Where each partition begins, for ``earliest``, or ends, for ``latest``."""
        spec = OffsetSpec.earliest() if start == "earliest" else OffsetSpec.latest()
        return tuple(entry.offset for entry in self._offsets(partitions, spec))

    def bounded(self, traits: TopicTraits, until_ms: int | None, end_offsets: str | None = None) -> BoundedLog:
        """How far the log goes now, or to ``end_offsets``, a number of each partition.

        ``until_ms``, if not given, is the largest valid arrival of any committed record in it. Records of a topic with
        its producers' timestamps are read for it, all of them.

        Raises:
            SettingsError: there is another number of partitions.
            BrokerError: the broker gives no records.
        """
        if end_offsets is None:
            ends = self.first_offsets(traits.partitions, "latest")
        else:
            ends = tuple(map(int, end_offsets.split(",")))
        if len(ends) != traits.partitions:
            raise SettingsError(
                f"--end-offsets has {len(ends)} numbers, but {self._location} has {traits.partitions} partitions"
            )
        if until_ms is None:
            starts = self.first_offsets(traits.partitions, "earliest")
            search = LastArrival(self._location, self._properties, self._wait_ms, self._say)
            until_ms = (search.of_tails if traits.is_log_append_time else search.of_all)(starts, ends)
        return BoundedLog(ends, until_ms)

    def _offsets(self, partitions: int, spec: Any) -> list[Any]:
        wanted = [TopicPartition(self._location.topic, number) for number in range(partitions)]

        def question() -> "Future[Any]":
            answers = self._client.list_offsets(
                dict.fromkeys(wanted, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=_ASK_AGAIN_S,
            )
            gathered: Future[Any] = Future()
            try:
                gathered.set_result([answers[partition].result() for partition in wanted])
            except KafkaException as error:
                gathered.set_exception(error)
            return gathered

        offsets: list[Any] = self._asked(question)
        return offsets

    def _topic_settings(self) -> dict[str, str]:
        """The settings of the topic; empty if we may not read them."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, self._location.topic)
        try:
            settings = self._asked(
                lambda: self._client.describe_configs([resource], request_timeout=_ASK_AGAIN_S)[resource]
            )
        except SettingsError:
            return {}
        return {name: entry.value for name, entry in settings.items()}

    def _asked(self, question: "Callable[[], Future[Any]]") -> Any:
        say_s = monotonic() + _ASK_AGAIN_S
        give_up_s = monotonic() + self._wait_ms / 1000
        has_said = False
        missing_until_s = 0.0
        while True:
            try:
                return question().result()
            except KafkaException as error:
                self._client.poll(0)
                if error.args[0].code() in _AWAY:
                    missing_until_s = monotonic() + _TOPICS_FOLLOW_S
                if error.args[0].code() not in _NO_TOPIC or monotonic() >= min(missing_until_s, give_up_s):
                    self._check(error.args[0])
            self._check(self._seen)
            if monotonic() >= give_up_s:
                reason = f": {self._seen.str()}" if self._seen else ""
                raise BrokerError(
                    f"no Kafka broker answers at {self._location.brokers}; waited {duration_text(self._wait_ms)}, "
                    f"see --wait-for-broker{reason}"
                )
            if not has_said and monotonic() >= say_s:
                self._say(f"waiting for the Kafka broker at {self._location.brokers}")
                has_said = True
            self._client.poll(_PAUSE_S)

    def _check(self, error: KafkaError | None) -> None:
        """Raise an error that waiting cannot cure."""
        if error is None or error.code() in _AWAY:
            return
        where = f"{self._flag} {self._location}"
        if error.code() in _NO_TOPIC:
            making = _making(self._location, self._made_with)
            raise SettingsError(f"{where}: there is no such topic; create it with {making}")
        if error.code() in _NOT_LET_IN:
            raise SettingsError(f"{where}: authentication failed, see --kafka-properties: {error.str()}")
        raise BrokerError(f"{where}: {error.str()}")

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # which says less than the error before it
            self._seen = error


def topic_id_of(description: Any) -> str | None:
    """The id of a topic in the answer to a question about it."""
    found = str(description.topic_id)
    return None if found == _NO_ID else found


def _making(location: KafkaLocation, made_with: Mapping[str, str]) -> str:
    brokers, topic = location
    settings = "".join(f" --config {name}={value}" for name, value in made_with.items())
    return f"kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions 4{settings}"
