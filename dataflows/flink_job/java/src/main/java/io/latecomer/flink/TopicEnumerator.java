package io.latecomer.flink;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;

/**
 * The connector's enumerator, for a run that has an end.
 *
 * <p>The connector says that there are no more partitions when it first finds them: restored, it
 * finds none that are new, and a job that is to finish never would. And where the job does not
 * finish by itself, the readers tell when they have come to the end.
 */
final class TopicEnumerator implements SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> {
  private final SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator;
  private final SplitEnumeratorContext<KafkaPartitionSplit> context;
  private final TopicLog log;
  private final boolean hasAll;
  private final Set<Integer> ended = new HashSet<>();

  /**
   * @param hasAll every partition was found before: a reader that registers has, or is given now,
   *     all that it will ever read
   */
  TopicEnumerator(
      SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
      SplitEnumeratorContext<KafkaPartitionSplit> context,
      TopicLog log,
      boolean hasAll) {
    this.enumerator = enumerator;
    this.context = context;
    this.log = log;
    this.hasAll = hasAll;
  }

  @Override
  public void start() {
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
    if (hasAll && log.finishes()) {
      context.signalNoMoreSplits(subtask);
    }
  }

  @Override
  public void handleSourceEvent(int subtask, SourceEvent event) {
    ended.add(((PartitionEnded) event).partition());
    if (ended.size() == log.partitions()) {
      try {
        Files.write(Path.of(log.endedFile()), new byte[0]);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
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
