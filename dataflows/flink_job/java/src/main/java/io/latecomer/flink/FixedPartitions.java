package io.latecomer.flink;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.flink.connector.kafka.source.enumerator.subscriber.KafkaSubscriber;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.admin.AdminClient;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.admin.TopicDescription;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * The topic and the partitions that it had when the run started. A device's place in the log is
 * fixed by them, so a run with others fails and says so. A cluster may begin it again, to the same
 * end, but keeps its state: a failure that forbids that would have Flink's high availability forget
 * the state, and the next start begin anew in silence. (A state of other partitions Flink itself
 * refuses, since the source's maximal parallelism is their number.)
 */
public final class FixedPartitions implements KafkaSubscriber {
  private static final long serialVersionUID = 2L;

  private final TopicLog log;
  private transient Set<TopicPartition> found;

  public FixedPartitions(TopicLog log) {
    this.log = log;
  }

  @Override
  public Set<TopicPartition> getSubscribedTopicPartitions(AdminClient client) {
    TopicDescription now;
    try {
      now = client.describeTopics(List.of(log.topic())).allTopicNames().get().get(log.topic());
    } catch (ExecutionException error) {
      if (found == null) {
        throw new KafkaException(error.getCause());
      }
      return found; // a broker that is away is waited for by the readers
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      throw new KafkaException(error);
    }
    if (!now.topicId().equals(log.uuid())) {
      throw new KafkaException(
          "the topic "
              + log.topic()
              + " is another one now: it was deleted and made anew, so start anew with another"
              + " state");
    }
    int number = now.partitions().size();
    if (number != log.partitions()) {
      throw new KafkaException(
          "the topic "
              + log.topic()
              + " has "
              + number
              + " partitions now, and had "
              + log.partitions()
              + ": devices have moved between them, so start anew with another state");
    }
    found =
        now.partitions().stream()
            .map(partition -> new TopicPartition(log.topic(), partition.partition()))
            .collect(Collectors.toSet());
    return found;
  }
}
