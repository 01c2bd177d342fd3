package io.latecomer.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;

/**
 * Records of a topic as frames, keyed here, in Java: a key made in Python would cost a second
 * crossing.
 */
public final class KafkaRecords implements KafkaRecordDeserializationSchema<Row> {
  private static final long serialVersionUID = 1L;

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Row> out) {
    out.collect(
        RecordFrame.row(
            record.timestamp(), record.partition(), record.offset(), record.key(), record.value()));
  }

  @Override
  public TypeInformation<Row> getProducedType() {
    return RecordFrame.type();
  }
}
