package io.latecomer.flink;

import static io.latecomer.flink.SplitStatesTest.through;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

/** The clocks of partitions between the connector's reader, played by a script, and Flink. */
final class TopicReaderTest {
  static final String ID = "7t3vC4IWfusNtNpffvQS/+";

  private final Script script = new Script();
  private final Flink flink = new Flink();
  private final List<Object> told = new ArrayList<>();

  static TopicLog log(String id, Long untilMs, Long endMs, String endedFile) {
    return new TopicLog(
        "kafka://b:1/t", "t", id, 2, true, "a,b?", "100,100", untilMs, endMs, null, endedFile);
  }

  private TopicReader reader(TopicLog log) {
    SourceReaderContext context =
        (SourceReaderContext)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {SourceReaderContext.class},
                (proxy, method, arguments) -> {
                  told.add(arguments[0]);
                  return null;
                });
    return new TopicReader(script, context, log);
  }

  private static KafkaPartitionSplit assigned(TopicLog log, int partition, long offset)
      throws IOException {
    return through(log, log, new KafkaPartitionSplit(new TopicPartition("t", partition), offset));
  }

  private void readAll(TopicReader reader) throws Exception {
    while (reader.pollNext(flink) == InputStatus.MORE_AVAILABLE) {}
  }

  private static Map<Integer, String> saved(TopicReader reader) {
    Map<Integer, String> saved = new TreeMap<>();
    for (KafkaPartitionSplit split : reader.snapshotState(1)) {
      saved.put(
          split.getPartition(),
          split.getStartingOffset() + " at " + ((ClockedSplit) split).clockMs());
    }
    return saved;
  }

  @Test
  void aClockGoesOnWhereverItsPartitionIsRestored() throws Exception {
    TopicLog log = log(ID, null, null, null);
    TopicReader reader = reader(log);
    reader.addSplits(List.of(assigned(log, 0, 5), assigned(log, 1, 5)));
    script.record(0, 5, 1_000).record(1, 5, 10).record(0, 6, 900);
    readAll(reader);
    assertEquals(List.of("0/5 at 1000", "1/5 at 10", "0/6 at 1000"), flink.seen);
    assertEquals(Map.of(0, "7 at 1000", 1, "6 at 10"), saved(reader));

    List<KafkaPartitionSplit> state = reader.snapshotState(1);
    TopicReader other = new TopicReaderTest().reader(log);
    other.addSplits(List.of(through(log, log, state.get(0)), through(log, log, state.get(1))));
    assertEquals(saved(reader), saved(other));
  }

  @Test
  void aPartitionIsSavedAtTheFirstRecordBehindUntil() throws Exception {
    TopicLog log = log(ID, 1_000L, 1_000L, "/ended");
    TopicReader reader = reader(log);
    reader.addSplits(List.of(assigned(log, 0, 5), assigned(log, 1, 5)));
    script.record(0, 5, 1_000).record(0, 6, 1_001).record(0, 7, 900).record(0, 8, -1);
    readAll(reader);
    assertEquals(List.of("0/5 at 1000", "0: watermark 1000"), flink.seen);
    assertEquals(Map.of(0, "6 at 1000", 1, "5 at " + PartitionClock.NOT_BEGUN), saved(reader));
    assertEquals(List.of(new PartitionEnded(0)), told);
    script.end(0);
    readAll(reader);
    assertEquals(Map.of(0, "6 at 1000", 1, "5 at " + PartitionClock.NOT_BEGUN), saved(reader));
    assertEquals(List.of(new PartitionEnded(0)), told);
  }

  @Test
  void aPartitionThatHasEndedStaysInTheStateOfARunThatIsStopped() throws Exception {
    TopicLog log = log(ID, null, 2_000L, "/ended");
    TopicReader reader = reader(log);
    reader.addSplits(List.of(assigned(log, 0, 5), assigned(log, 1, 200)));
    script.record(0, 5, 1_000).end(0).end(1);
    readAll(reader);
    assertEquals(List.of("0/5 at 1000", "0: watermark 2000", "1: watermark 2000"), flink.seen);
    // Partition 1 was read beyond this run's end before, and does not go back.
    assertEquals(Map.of(0, "100 at 1000", 1, "200 at " + PartitionClock.NOT_BEGUN), saved(reader));
    assertEquals(List.of(new PartitionEnded(0), new PartitionEnded(1)), told);
  }

  @Test
  void aPartitionThatHasEndedIsForgottenByAJobThatFinishes() throws Exception {
    TopicLog log = log(ID, null, 2_000L, null);
    TopicReader reader = reader(log);
    reader.addSplits(List.of(assigned(log, 0, 5), assigned(log, 1, 5)));
    script.record(0, 5, 1_000).end(0);
    readAll(reader);
    assertEquals(List.of("0/5 at 1000", "0: released"), flink.seen);
    assertEquals(Map.of(1, "5 at " + PartitionClock.NOT_BEGUN), saved(reader));
    assertEquals(List.of(), told);
  }

  @Test
  void recordsThatAreGoneAreSaidInOneLine() throws Exception {
    TopicLog log = log(ID, null, null, null);
    TopicReader reader = reader(log);
    script.failure =
        new RuntimeException(
            "fetchers", new OffsetOutOfRangeException(Map.of(new TopicPartition("t", 1), 17L)));
    Exception error = assertThrows(IllegalStateException.class, () -> reader.pollNext(flink));
    assertEquals(
        "kafka://b:1/t, partition 1: the records from offset 17 on are gone, by retention or with"
            + " the topic; they cannot be made up for, so start anew with another --state",
        error.getMessage());
  }

  @Test
  void aSplitThatWasNeverReadBeginsWithTheClockOfTheExportedState() throws Exception {
    TopicLog log =
        new TopicLog("kafka://b:1/t", "t", ID, 2, true, "a", null, null, null, "700,-1", null);
    KafkaPartitionSplit first = assigned(log, 0, 50);
    assertEquals(700, ((ClockedSplit) first).clockMs());
    assertEquals(PartitionClock.NOT_BEGUN, ((ClockedSplit) assigned(log, 1, 0)).clockMs());
    KafkaPartitionSplit read = through(log, log, new ClockedSplit(first, 60, 900));
    assertEquals(900, ((ClockedSplit) read).clockMs());
  }

  /** What the connector's reader does, step by step. */
  private static final class Script implements SourceReader<Row, KafkaPartitionSplit> {
    private final Deque<Row> records = new ArrayDeque<>();
    private final Deque<String> endings = new ArrayDeque<>();
    private final Map<String, KafkaPartitionSplit> splits = new TreeMap<>();
    private final Map<String, SourceOutput<Row>> outputs = new TreeMap<>();
    private RuntimeException failure;

    Script record(int partition, long offset, long stampMs) {
      records.add(
          RecordFrame.row(stampMs, partition, offset, new byte[] {(byte) partition}, new byte[0]));
      return this;
    }

    Script end(int partition) {
      endings.add("t-" + partition);
      return this;
    }

    @Override
    public InputStatus pollNext(ReaderOutput<Row> output) {
      if (failure != null) {
        throw failure;
      }
      if (!records.isEmpty()) {
        Row row = records.remove();
        String id = "t-" + (int) RecordFrame.key(row).charAt(0);
        outputs
            .computeIfAbsent(id, output::createOutputForSplit)
            .collect(row, RecordFrame.arrivalMs(RecordFrame.frame(row)));
        KafkaPartitionSplit split = splits.get(id);
        long offset = RecordFrame.offset(RecordFrame.frame(row)) + 1;
        splits.put(id, new KafkaPartitionSplit(split.getTopicPartition(), offset));
        return InputStatus.MORE_AVAILABLE;
      }
      if (!endings.isEmpty()) {
        splits.remove(endings.peek());
        output.releaseOutputForSplit(endings.remove());
        return InputStatus.MORE_AVAILABLE;
      }
      return InputStatus.NOTHING_AVAILABLE;
    }

    @Override
    public void addSplits(List<KafkaPartitionSplit> added) {
      added.forEach(split -> splits.put(split.splitId(), split));
    }

    @Override
    public List<KafkaPartitionSplit> snapshotState(long checkpointId) {
      return List.copyOf(splits.values());
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public void start() {}

    @Override
    public void notifyNoMoreSplits() {}

    @Override
    public void close() {}
  }

  /** What Flink is given. */
  private static final class Flink implements ReaderOutput<Row> {
    private final List<String> seen = new ArrayList<>();

    @Override
    public SourceOutput<Row> createOutputForSplit(String splitId) {
      String partition = splitId.substring(2);
      return new SourceOutput<>() {
        @Override
        public void collect(Row row, long timestamp) {
          seen.add(
              partition + "/" + RecordFrame.offset(RecordFrame.frame(row)) + " at " + timestamp);
        }

        @Override
        public void collect(Row row) {
          throw new AssertionError("a record without its arrival");
        }

        @Override
        public void emitWatermark(Watermark watermark) {
          seen.add(partition + ": watermark " + watermark.getTimestamp());
        }

        @Override
        public void markIdle() {}

        @Override
        public void markActive() {}
      };
    }

    @Override
    public void releaseOutputForSplit(String splitId) {
      seen.add(splitId.substring(2) + ": released");
    }

    @Override
    public void collect(Row row) {
      throw new AssertionError("a record of no split");
    }

    @Override
    public void collect(Row row, long timestamp) {
      throw new AssertionError("a record of no split");
    }

    @Override
    public void emitWatermark(Watermark watermark) {}

    @Override
    public void markIdle() {}

    @Override
    public void markActive() {}
  }
}
