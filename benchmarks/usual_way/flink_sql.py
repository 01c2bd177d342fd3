"""Averages over ten hours in Flink SQL, in Java, without late events and without calls: the least that a window costs.

Usage: flink_sql.py BROKERS INPUT OUTPUT INTERVAL_MS CHECKPOINTS END_OFFSET[,...]
"""

import sys

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

from dataflows.flink_job.installation import jars


def main(brokers: str, topic: str, output: str, interval_ms: str, checkpoints: str, ends: str) -> None:
    configuration = Configuration()
    for name, value in {
        "pipeline.jars": ";".join(jar.as_uri() for jar in jars()),
        "execution.checkpointing.interval": "10 s",
        "execution.checkpointing.dir": checkpoints,
        "restart-strategy.type": "none",
    }.items():
        configuration.set_string(name, value)
    tables = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    )
    sensors = [f"sensor{number}" for number in range(1, 5)]
    columns = ", ".join(f"{name} FLOAT" for name in sensors)
    stop = ";".join(f"partition:{number},offset:{end}" for number, end in enumerate(ends.split(",")))
    tables.execute_sql(f"""
        CREATE TABLE events (
          device_id STRING, `time` BIGINT, {columns},
          taken AS TO_TIMESTAMP_LTZ(`time`, 3), WATERMARK FOR taken AS taken
        ) WITH (
          'connector' = 'kafka', 'properties.bootstrap.servers' = '{brokers}', 'topic' = '{topic}', 'format' = 'json',
          'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'specific-offsets',
          'scan.bounded.specific-offsets' = '{stop}'
        )""")
    tables.execute_sql(f"""
        CREATE TABLE averages (device_id STRING, events BIGINT, {columns}) WITH (
          'connector' = 'kafka', 'properties.bootstrap.servers' = '{brokers}', 'topic' = '{output}', 'format' = 'json'
        )""")
    averages = ", ".join(f"CAST(AVG(CAST({name} AS DOUBLE)) OVER w AS FLOAT)" for name in sensors)
    tables.execute_sql(f"""
        INSERT INTO averages SELECT device_id, COUNT(*) OVER w, {averages} FROM events WINDOW w AS (
          PARTITION BY device_id ORDER BY taken
          RANGE BETWEEN INTERVAL '{int(interval_ms) // 3_600_000}' HOUR PRECEDING AND CURRENT ROW
        )""").wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
