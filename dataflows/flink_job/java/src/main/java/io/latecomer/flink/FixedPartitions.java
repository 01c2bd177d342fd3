package io.latecomer.flink;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.enumerator.subscriber.KafkaSubscriber;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.admin.AdminClient;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * The partitions that a topic had when the run started. A device's place in the log is fixed by
 * them, so a run with others fails and says so. A cluster may begin it again, to the same end, but
 * keeps its state: a failure that forbids that would have Flink's high availability forget the
 * state, and the next start begin anew in silence. (A state of other partitions Flink itself
 * refuses, since the source's maximal parallelism is their number.)
 */
public final class FixedPartitions implements KafkaSubscriber {
  private static final long serialVersionUID = 1L;

  private final String topic;
  private final int number;
  private transient Set<TopicPartition> found;

  public FixedPartitions(String topic, int number) {
    this.topic = topic;
    this.number = number;
  }

  @Override
  public Set<TopicPartition> getSubscribedTopicPartitions(AdminClient client) {
    Set<TopicPartition> now;
    try {
      now =
          KafkaSubscriber.getTopicListSubscriber(List.of(topic))
              .getSubscribedTopicPartitions(client);
    } catch (RuntimeException error) {
      if (found == null) {
        throw error;
      }
      return found; // a broker that is away is waited for by the readers
    }
    if (now.size() != number) {
      throw new KafkaException(
          "the topic "
              + topic
              + " has "
              + now.size()
              + " partitions now, and had "
              + number
              + ": devices have moved between them, so start anew with another state");
    }
    found = now;
    return now;
  }

  void checkRestored(KafkaSourceEnumState state) {
    Set<String> topics = new TreeSet<>();
    state.splits().forEach(split -> topics.add(split.split().getTopic()));
    if (!topics.equals(Set.of(topic))) {
      throw new KafkaException(
          "the state is of the topic "
              + String.join(", ", topics)
              + ", and the run reads "
              + topic);
    }
  }
}
