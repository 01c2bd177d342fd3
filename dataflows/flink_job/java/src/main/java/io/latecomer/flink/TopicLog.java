package io.latecomer.flink;

import java.io.Serializable;
import java.util.stream.Stream;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.Uuid;

/**
 * The topic of a run as it was found at its start, and how far the run reads it; what {@code
 * dataflows/connectors/kafka/log.py} found.
 *
 * @param location the topic as messages name it
 * @param topic its name
 * @param id what tells it from another topic of the same name, in base64; null: the broker gives no
 *     ids
 * @param partitions how many it has
 * @param hasProducersClock its timestamps are its producers', not the broker's
 * @param sensors the readings of its events, with commas between
 * @param ends the offset behind the last record of each partition, with commas between; null: the
 *     run has no end
 * @param untilMs the first record with a later arrival ends its partition; null: none does
 * @param endMs the instant up to which the clock runs once all partitions have ended; null: there
 *     is none
 * @param clocks the clock of each partition where a split without a state begins, in ms, with
 *     commas between; -1: it has shown no arrival; null: none has
 * @param endedFile the job makes this file once all partitions have ended, and goes on until it is
 *     stopped with a savepoint; null: it finishes, and leaves no state behind
 */
public record TopicLog(
    String location,
    String topic,
    String id,
    int partitions,
    boolean hasProducersClock,
    String sensors,
    String ends,
    Long untilMs,
    Long endMs,
    String clocks,
    String endedFile)
    implements Serializable {

  boolean hasEnd() {
    return ends != null;
  }

  boolean finishes() {
    return hasEnd() && endedFile == null;
  }

  /** The same split, which ends where this run ends. */
  KafkaPartitionSplit bounded(KafkaPartitionSplit split) {
    long end =
        hasEnd() ? number(ends, split.getPartition()) : KafkaPartitionSplit.NO_STOPPING_OFFSET;
    return new KafkaPartitionSplit(split.getTopicPartition(), split.getStartingOffset(), end);
  }

  /** The clock of a partition before the first record that this run, or the first one, reads. */
  long firstClockMs(int partition) {
    long clockMs = clocks == null ? -1 : number(clocks, partition);
    return clockMs < 0 ? PartitionClock.NOT_BEGUN : clockMs;
  }

  private static long number(String numbers, int partition) {
    return Stream.of(numbers.split(",")).mapToLong(Long::parseLong).toArray()[partition];
  }

  /** The id as Kafka's Java client has it; librdkafka writes it in the other alphabet of base64. */
  Uuid uuid() {
    return id == null ? Uuid.ZERO_UUID : Uuid.fromString(id.replace('+', '-').replace('/', '_'));
  }
}
