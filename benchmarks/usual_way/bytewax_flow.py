"""The usual Bytewax flow: its own Kafka connector, stateful_map over a list, two unary calls for each event.

Usage: bytewax_flow.py BROKERS INPUT OUTPUT FEATURES INFERENCE INTERVAL_MS STATE
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink as BytewaxKafkaSink
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.usual_way.services import Row, UsualServices, with_event


def main(brokers: str, topic: str, output: str, features: str, inference: str, interval_ms: str, state: str) -> None:
    services = UsualServices(features, inference)

    def keyed(message: Any) -> tuple[str, dict[str, Any]]:
        assert isinstance(message, KafkaSourceMessage)
        event = json.loads(message.value)
        return event["device_id"], event

    def predicted(window: list[Row] | None, event: dict[str, Any]) -> tuple[list[Row], str]:
        row = (event["time"], event["sensor1"], event["sensor2"], event["sensor3"], event["sensor4"])
        window = with_event(window or [], row, int(interval_ms))
        return window, services.prediction(event["device_id"], window)

    flow = Dataflow("usual_way")
    # By default a batch has 1,000 records: the whole of this small load, written at its end and not as it goes.
    source = KafkaSource([*brokers.split(",")], [topic], tail=False, batch_size=20)
    messages = op.input("events", flow, source)
    events = op.map("keys", messages, keyed)
    predictions = op.stateful_map("windows", events, predicted)
    written = op.map("records", predictions, lambda item: KafkaSinkMessage(item[0].encode(), item[1].encode()))
    op.output("predictions", written, BytewaxKafkaSink(brokers.split(","), output))
    Path(state).mkdir(parents=True, exist_ok=True)
    init_db_dir(Path(state), 1)
    cli_main(flow, epoch_interval=timedelta(seconds=10), recovery_config=RecoveryConfig(state))


if __name__ == "__main__":
    main(*sys.argv[1:])
