package io.latecomer.flink;

import java.io.IOException;
import java.util.List;
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
 * A {@link KafkaSource} of one topic whose restored state obeys the run: it is of the same topic,
 * and ends where this run ends.
 *
 * <p>The connector would go on with the topics and the ends that its state holds, whatever it is
 * told. And it says that there are no more partitions when it first finds them: restored, it finds
 * none that are new, and a bounded job would never end.
 */
public final class TopicSource
    implements Source<Row, KafkaPartitionSplit, KafkaSourceEnumState>, ResultTypeQueryable<Row> {
  private static final long serialVersionUID = 1L;

  private final KafkaSource<Row> source;
  private final FixedPartitions partitions;
  private final SplitEnds ends;

  /**
   * @param source reads {@code partitions}
   * @param ends the offset behind the last record of each partition, with commas between; null: for
   *     ever
   */
  public TopicSource(KafkaSource<Row> source, FixedPartitions partitions, String ends) {
    this.source = source;
    this.partitions = partitions;
    this.ends = new SplitEnds(ends);
  }

  @Override
  public TypeInformation<Row> getProducedType() {
    return RecordFrame.type();
  }

  @Override
  public Boundedness getBoundedness() {
    return ends.isBounded() ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
  }

  @Override
  public SourceReader<Row, KafkaPartitionSplit> createReader(SourceReaderContext context)
      throws Exception {
    return source.createReader(context);
  }

  @Override
  public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> createEnumerator(
      SplitEnumeratorContext<KafkaPartitionSplit> context) {
    return source.createEnumerator(context);
  }

  @Override
  public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> restoreEnumerator(
      SplitEnumeratorContext<KafkaPartitionSplit> context, KafkaSourceEnumState state)
      throws IOException {
    SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> restored =
        source.restoreEnumerator(context, state);
    if (state.splits().isEmpty()) {
      return restored; // saved before it had found any: it will find them now
    }
    return new RestoredEnumerator(
        restored, context, () -> partitions.checkRestored(state), ends.isBounded());
  }

  @Override
  public SimpleVersionedSerializer<KafkaPartitionSplit> getSplitSerializer() {
    return ends.appliedBy(source.getSplitSerializer());
  }

  @Override
  public SimpleVersionedSerializer<KafkaSourceEnumState> getEnumeratorCheckpointSerializer() {
    return source.getEnumeratorCheckpointSerializer();
  }

  /**
   * Every partition was found before: a reader that registers has, or is given now, all that it
   * will ever read.
   */
  private static final class RestoredEnumerator
      implements SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> {
    private final SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator;
    private final SplitEnumeratorContext<KafkaPartitionSplit> context;
    private final Runnable check;
    private final boolean isBounded;

    RestoredEnumerator(
        SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
        SplitEnumeratorContext<KafkaPartitionSplit> context,
        Runnable check,
        boolean isBounded) {
      this.enumerator = enumerator;
      this.context = context;
      this.check = check;
      this.isBounded = isBounded;
    }

    @Override
    public void start() {
      check.run(); // a job that fails before it has started is waited for in vain
      enumerator.start();
    }

    @Override
    public void handleSplitRequest(int subtask, String host) {
      enumerator.handleSplitRequest(subtask, host);
    }

    @Override
    public void addSplitsBack(List<KafkaPartitionSplit> splits, int subtask) {
      enumerator.addSplitsBack(splits, subtask);
    }

    @Override
    public void addReader(int subtask) {
      enumerator.addReader(subtask);
      if (isBounded) {
        context.signalNoMoreSplits(subtask);
      }
    }

    @Override
    public KafkaSourceEnumState snapshotState(long checkpointId) throws Exception {
      return enumerator.snapshotState(checkpointId);
    }

    @Override
    public void close() throws IOException {
      enumerator.close();
    }
  }
}
