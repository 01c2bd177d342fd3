"""What runs on a topic are compared with."""

import pytest

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC
from tests.dataflows.connectors.kafka.topics import Topics, values_of


@pytest.fixture(scope="module")
def undisturbed(log: str, topics: Topics, kafka_pipelines: KafkaPipelines) -> tuple[set[bytes], set[bytes]]:
    """The predictions and rejections of a run over the ``log`` of a module that nobody kills."""
    output, rejections = topics.made(2), topics.made(2)
    kafka_pipelines.run(log, SPEC, output=output, rejections=rejections)
    return set(values_of(topics.records(output))), set(values_of(topics.records(rejections)))
