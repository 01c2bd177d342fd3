package io.latecomer.flink;

import java.io.IOException;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.types.Row;

/**
 * A {@link KafkaSource} of one topic whose partitions have clocks, and whose restored state obeys
 * the run: it is of the same topic, and ends where this run ends. The connector would go on with
 * the topics and the ends that its state holds, whatever it is told.
 */
public final class TopicSource
    implements Source<Row, KafkaPartitionSplit, KafkaSourceEnumState>, ResultTypeQueryable<Row> {
  private static final long serialVersionUID = 2L;

  private final KafkaSource<Row> source;
  private final TopicLog log;

  /**
   * @param source reads {@code log}
   */
  public TopicSource(KafkaSource<Row> source, TopicLog log) {
    this.source = source;
    this.log = log;
  }

  @Override
  public TypeInformation<Row> getProducedType() {
    return RecordFrame.type();
  }

  @Override
  public Boundedness getBoundedness() {
    return log.finishes() ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
  }

  @Override
  public SourceReader<Row, KafkaPartitionSplit> createReader(SourceReaderContext context)
      throws Exception {
    Codecs.check(KafkaSource.class.getClassLoader());
    return new TopicReader(source.createReader(context), context, log);
  }

  @Override
  public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> createEnumerator(
      SplitEnumeratorContext<KafkaPartitionSplit> context) {
    return new TopicEnumerator(source.createEnumerator(context), context, log, false);
  }

  @Override
  public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> restoreEnumerator(
      SplitEnumeratorContext<KafkaPartitionSplit> context, KafkaSourceEnumState state)
      throws IOException {
    // One that was saved before it had found any partitions will find them now.
    boolean hasAll = !state.splits().isEmpty();
    return new TopicEnumerator(source.restoreEnumerator(context, state), context, log, hasAll);
  }

  @Override
  public SimpleVersionedSerializer<KafkaPartitionSplit> getSplitSerializer() {
    return new SplitStates(source.getSplitSerializer(), log);
  }

  @Override
  public SimpleVersionedSerializer<KafkaSourceEnumState> getEnumeratorCheckpointSerializer() {
    return source.getEnumeratorCheckpointSerializer();
  }
}
