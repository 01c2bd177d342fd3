package io.latecomer.flink;

import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.types.Row;

/**
 * Rows of key and value as records of a topic; a row without a key becomes a record without one.
 */
public final class TopicRecords implements KafkaRecordSerializationSchema<Row> {
  private static final long serialVersionUID = 1L;

  private final String topic;

  public TopicRecords(String topic) {
    this.topic = topic;
  }

  @Override
  public ProducerRecord<byte[], byte[]> serialize(
      Row row, KafkaSinkContext context, Long timestamp) {
    return new ProducerRecord<>(topic, (byte[]) row.getField(0), (byte[]) row.getField(1));
  }
}
