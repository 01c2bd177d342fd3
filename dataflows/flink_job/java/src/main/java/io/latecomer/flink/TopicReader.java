package io.latecomer.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.flink.types.Row;
import org.apache.flink.util.ExceptionUtils;

/**
 * The connector's reader with a {@link PartitionClock} for each partition: records pass it on their
 * way to the output of their split, and a split is saved with its clock, and with the offset at
 * which the run stopped in it.
 *
 * <p>Where the job does not finish by itself, the clock of a partition that has ended runs up to
 * the end of the run, the enumerator is told, and the split stays in the state: the connector
 * forgets one that has come to its end.
 */
final class TopicReader implements SourceReader<Row, KafkaPartitionSplit> {
  private final SourceReader<Row, KafkaPartitionSplit> reader;
  private final SourceReaderContext context;
  private final TopicLog log;
  private final Map<String, Partition> partitions = new HashMap<>();
  private Outputs outputs;

  TopicReader(
      SourceReader<Row, KafkaPartitionSplit> reader, SourceReaderContext context, TopicLog log) {
    this.reader = reader;
    this.context = context;
    this.log = log;
  }

  @Override
  public void start() {
    reader.start();
  }

  @Override
  public InputStatus pollNext(ReaderOutput<Row> output) throws Exception {
    if (outputs == null) {
      outputs = new Outputs(output); // Flink has one for a reader
    }
    try {
      return reader.pollNext(outputs);
    } catch (RuntimeException error) {
      throw ExceptionUtils.findThrowable(error, OffsetOutOfRangeException.class)
          .map(this::gone)
          .orElse(error);
    }
  }

  /** Records that are not there any more are not skipped: {@code kafka_source.py} says the same. */
  private RuntimeException gone(OffsetOutOfRangeException error) {
    var first = error.offsetOutOfRangePartitions().entrySet().iterator().next();
    return new IllegalStateException(
        log.location()
            + ", partition "
            + first.getKey().partition()
            + ": the records from offset "
            + first.getValue()
            + " on are gone, by retention or with the topic; they cannot be made up for, so start"
            + " anew with another --state");
  }

  @Override
  public void addSplits(List<KafkaPartitionSplit> splits) {
    for (KafkaPartitionSplit split : splits) {
      partitions.put(split.splitId(), new Partition((ClockedSplit) split));
    }
    reader.addSplits(splits);
  }

  @Override
  public List<KafkaPartitionSplit> snapshotState(long checkpointId) {
    List<KafkaPartitionSplit> saved = new ArrayList<>();
    Set<String> ended = new HashSet<>(partitions.keySet());
    for (KafkaPartitionSplit split : reader.snapshotState(checkpointId)) {
      ended.remove(split.splitId());
      saved.add(partitions.get(split.splitId()).saved(split.getStartingOffset()));
    }
    for (String splitId : ended) {
      Partition partition = partitions.get(splitId);
      saved.add(partition.saved(partition.endOffset()));
    }
    return saved;
  }

  @Override
  public CompletableFuture<Void> isAvailable() {
    return reader.isAvailable();
  }

  @Override
  public void notifyNoMoreSplits() {
    reader.notifyNoMoreSplits();
  }

  @Override
  public void handleSourceEvents(SourceEvent event) {
    reader.handleSourceEvents(event);
  }

  @Override
  public void notifyCheckpointComplete(long checkpointId) throws Exception {
    reader.notifyCheckpointComplete(checkpointId);
  }

  @Override
  public void notifyCheckpointAborted(long checkpointId) throws Exception {
    reader.notifyCheckpointAborted(checkpointId);
  }

  @Override
  public void close() throws Exception {
    reader.close();
  }

  /** How far a partition was read. */
  private final class Partition {
    private final ClockedSplit split;
    private final PartitionClock clock;
    private Long cutOffset; // of the first record that the run does not read any more
    private boolean hasEnded;

    Partition(ClockedSplit split) {
      this.split = split;
      this.clock = new PartitionClock(log, split.clockMs());
    }

    long endOffset() {
      return Math.max(split.getStartingOffset(), split.getStoppingOffset().orElseThrow());
    }

    ClockedSplit saved(long offset) {
      return new ClockedSplit(split, cutOffset == null ? offset : cutOffset, clock.nowMs());
    }

    void take(Row row, SourceOutput<Row> output) {
      byte[] frame = RecordFrame.frame(row);
      if (clock.reads(frame)) {
        output.collect(row, clock.nowMs());
      } else if (cutOffset == null) {
        cutOffset = RecordFrame.offset(frame);
        end(output);
      }
    }

    void end(SourceOutput<Row> output) {
      if (log.finishes() || hasEnded) {
        return;
      }
      hasEnded = true;
      if (log.endMs() != null) {
        output.emitWatermark(new Watermark(log.endMs()));
      }
      context.sendSourceEventToCoordinator(new PartitionEnded(split.getPartition()));
    }
  }

  /** The outputs of the splits, each behind the clock of its partition. */
  private final class Outputs extends Forwarding<ReaderOutput<Row>> implements ReaderOutput<Row> {
    Outputs(ReaderOutput<Row> output) {
      super(output);
    }

    @Override
    public SourceOutput<Row> createOutputForSplit(String splitId) {
      return new SplitOutput(partitions.get(splitId), output.createOutputForSplit(splitId));
    }

    /** The connector has come to the end of a split. */
    @Override
    public void releaseOutputForSplit(String splitId) {
      if (log.finishes()) {
        partitions.remove(splitId);
        output.releaseOutputForSplit(splitId);
      } else {
        partitions.get(splitId).end(output.createOutputForSplit(splitId)); // the one it has
      }
    }

    @Override
    public void collect(Row row) {
      throw new IllegalStateException("a record of no split");
    }
  }

  private static final class SplitOutput extends Forwarding<SourceOutput<Row>> {
    private final Partition partition;

    SplitOutput(Partition partition, SourceOutput<Row> output) {
      super(output);
      this.partition = partition;
    }

    @Override
    public void collect(Row row) {
      partition.take(row, output);
    }
  }

  /** Passes on all but records, whose timestamp is what their partition's clock says. */
  private abstract static class Forwarding<O extends SourceOutput<Row>>
      implements SourceOutput<Row> {
    final O output;

    Forwarding(O output) {
      this.output = output;
    }

    @Override
    public final void collect(Row row, long timestamp) {
      collect(row);
    }

    @Override
    public void emitWatermark(Watermark watermark) {
      output.emitWatermark(watermark);
    }

    @Override
    public void markIdle() {
      output.markIdle();
    }

    @Override
    public void markActive() {
      output.markActive();
    }
  }
}
