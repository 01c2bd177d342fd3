import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * What both peers share: a topic in, a topic out, checkpoints every 10 s, two slots, objects passed
 * on without copies.
 *
 * <p>Arguments: BROKERS INPUT OUTPUT FEATURES INFERENCE INTERVAL_MS CHECKPOINTS END_OFFSET[,...]
 */
final class Job {
  static final int SLOTS = 2;

  final String features;
  final String inference;
  final long intervalMs;
  private final String[] arguments;
  private final StreamExecutionEnvironment env;

  Job(String[] arguments) {
    this.arguments = arguments;
    features = arguments[3];
    inference = arguments[4];
    intervalMs = Long.parseLong(arguments[5]);
    Configuration settings = new Configuration();
    settings.setString("execution.checkpointing.interval", "10 s");
    settings.setString("execution.checkpointing.dir", arguments[6]);
    settings.setString("restart-strategy.type", "none");
    settings.setString("pipeline.object-reuse", "true");
    env = StreamExecutionEnvironment.getExecutionEnvironment(settings);
    env.setParallelism(SLOTS);
  }

  DataStream<Event> events() {
    Map<TopicPartition, Long> ends = new HashMap<>();
    String[] offsets = arguments[7].split(",");
    for (int number = 0; number < offsets.length; number++) {
      ends.put(new TopicPartition(arguments[1], number), Long.parseLong(offsets[number]));
    }
    KafkaSource<Event> source =
        KafkaSource.<Event>builder()
            .setBootstrapServers(arguments[0])
            .setTopics(arguments[1])
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.offsets(ends))
            .setValueOnlyDeserializer(new EventSchema())
            .build();
    return env.fromSource(source, WatermarkStrategy.noWatermarks(), "events");
  }

  void run(DataStream<String> predictions) throws Exception {
    predictions.sinkTo(
        KafkaSink.<String>builder()
            .setBootstrapServers(arguments[0])
            .setRecordSerializer(
                KafkaRecordSerializationSchema.<String>builder()
                    .setTopic(arguments[2])
                    .setValueSerializationSchema(new SimpleStringSchema())
                    .build())
            .build());
    env.execute("peer");
  }

  static ManagedChannel channelTo(String address) {
    return NettyChannelBuilder.forTarget(address)
        .usePlaintext()
        .maxInboundMessageSize(64 << 20)
        .build();
  }

  /** Gives on what an answer becomes, or its failure. */
  static <T> void complete(
      ResultFuture<String> result, ListenableFuture<T> answer, Lines<T> lines) {
    Futures.addCallback(
        answer,
        new FutureCallback<>() {
          @Override
          public void onSuccess(T found) {
            try {
              result.complete(lines.of(found));
            } catch (Exception error) {
              result.completeExceptionally(error);
            }
          }

          @Override
          public void onFailure(Throwable error) {
            result.completeExceptionally(error);
          }
        },
        MoreExecutors.directExecutor());
  }

  /** The lines that an answer becomes. */
  interface Lines<T> {
    List<String> of(T answer) throws Exception;
  }

  /** JSON by the library that most jobs use. */
  private static final class EventSchema extends AbstractDeserializationSchema<Event> {
    private transient ObjectReader reader;

    @Override
    public void open(InitializationContext context) {
      reader = JsonMapper.builder().build().readerFor(Event.class);
    }

    @Override
    public Event deserialize(byte[] message) throws java.io.IOException {
      return reader.readValue(message);
    }
  }
}
