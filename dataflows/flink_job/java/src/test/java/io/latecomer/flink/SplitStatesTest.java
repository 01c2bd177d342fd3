package io.latecomer.flink;

import static io.latecomer.flink.TopicReaderTest.ID;
import static io.latecomer.flink.TopicReaderTest.log;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplitSerializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** What a state says about a partition, and which states are refused. */
final class SplitStatesTest {
  private static final String OTHER_ID = "7t3vC4IWfusNtNpffvQSsQ";

  /** Splits as they come from the enumerator, or from a state: through the serializer. */
  static KafkaPartitionSplit through(TopicLog log, TopicLog next, KafkaPartitionSplit split)
      throws IOException {
    SplitStates states = new SplitStates(new KafkaPartitionSplitSerializer(), log);
    return new SplitStates(new KafkaPartitionSplitSerializer(), next)
        .deserialize(states.getVersion(), states.serialize(split));
  }

  @Test
  void theStateOfAnotherTopicOrOfAnotherVersionIsRefused() throws Exception {
    TopicLog log = log(ID, null, null, null);
    KafkaPartitionSplit split = new KafkaPartitionSplit(new TopicPartition("t", 0), 5);
    Exception anew =
        assertThrows(IOException.class, () -> through(log(OTHER_ID, null, null, null), log, split));
    assertEquals(
        "the state is of another topic that was named t: it was deleted and made anew, so start"
            + " anew with another state",
        anew.getMessage());
    KafkaPartitionSplit elsewhere = new KafkaPartitionSplit(new TopicPartition("u", 0), 5);
    Exception name = assertThrows(IOException.class, () -> through(log, log, elsewhere));
    assertEquals("the state is of the topic u, and the run reads t", name.getMessage());
    TopicLog others =
        new TopicLog("kafka://b:1/t", "t", ID, 2, true, "b,a", null, null, null, null, null);
    Exception sensors = assertThrows(IOException.class, () -> through(others, log, split));
    assertEquals("the state is of a run with --sensors b,a, not a,b?", sensors.getMessage());
    KafkaPartitionSplitSerializer old = new KafkaPartitionSplitSerializer();
    SplitStates states = new SplitStates(old, log);
    Exception version =
        assertThrows(
            IOException.class, () -> states.deserialize(old.getVersion(), old.serialize(split)));
    assertEquals(
        "the state was saved by an earlier version, without a checksum of its positions: start"
            + " anew with another state",
        version.getMessage());
    Exception newer =
        assertThrows(
            IOException.class,
            () -> states.deserialize(states.getVersion() + 1, states.serialize(split)));
    assertEquals(
        "the state was saved by a newer version: use the release that wrote it",
        newer.getMessage());
  }

  @Test
  void aSavedPositionWithAFlippedBitIsRefused() throws Exception {
    TopicLog log = log(ID, null, null, null);
    SplitStates states = new SplitStates(new KafkaPartitionSplitSerializer(), log);
    byte[] saved = states.serialize(new KafkaPartitionSplit(new TopicPartition("t", 0), 5));
    for (int bit = 0; bit < 8 * saved.length; bit++) {
      byte[] flipped = saved.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      assertThrows(IOException.class, () -> states.deserialize(states.getVersion(), flipped));
    }
    for (int size = 0; size < saved.length; size++) {
      byte[] cut = Arrays.copyOf(saved, size);
      assertThrows(IOException.class, () -> states.deserialize(states.getVersion(), cut));
    }
  }

  @Test
  void aRestoredSplitEndsWhereItsRunEnds() throws Exception {
    TopicLog next =
        new TopicLog(
            "kafka://b:1/t", "t", ID, 2, true, "a,b?", "100,300", null, null, null, "/ended");
    KafkaPartitionSplit restored =
        through(
            log(ID, null, null, null),
            next,
            new KafkaPartitionSplit(new TopicPartition("t", 1), 50, 100));
    assertEquals(300, restored.getStoppingOffset().orElseThrow());
    assertEquals(50, restored.getStartingOffset());
  }
}
