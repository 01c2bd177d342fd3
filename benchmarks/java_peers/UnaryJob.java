import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.ManagedChannel;
import io.grpc.examples.ml.FeatureEngineeringServiceGrpc;
import io.grpc.examples.ml.FeatureEngineeringServiceGrpc.FeatureEngineeringServiceFutureStub;
import io.grpc.examples.ml.Prediction;
import io.grpc.examples.ml.PredictionServiceGrpc;
import io.grpc.examples.ml.PredictionServiceGrpc.PredictionServiceFutureStub;
import io.grpc.examples.ml.RawEvent;
import io.grpc.examples.ml.RawEventList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.util.Collector;

/**
 * The fair peer: the window in keyed state, and the demo's own two calls for each event by Flink's
 * asynchronous I/O.
 */
public final class UnaryJob {
  /**
   * Of each slot. In all 28 calls in flight: fewer leave the services idle, and at 64 they refuse.
   */
  private static final int IN_FLIGHT = 28 / Job.SLOTS;

  public static void main(String[] arguments) throws Exception {
    Job job = new Job(arguments);
    DataStream<Asked> windows =
        job.events().keyBy(event -> event.device_id).process(new Windows(job.intervalMs));
    job.run(AsyncDataStream.orderedWait(windows, new Ask(job), 60, TimeUnit.SECONDS, IN_FLIGHT));
  }

  /** A window as it was: arrays, which Flink copies fast. */
  public static class Asked {
    public String deviceId;
    public long[] times;
    public float[] readings;
  }

  private static final class Windows extends KeyedProcessFunction<String, Event, Asked> {
    private final long intervalMs;
    private transient ValueState<Window> state;

    Windows(long intervalMs) {
      this.intervalMs = intervalMs;
    }

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("window", Window.class));
    }

    @Override
    public void processElement(Event event, Context context, Collector<Asked> out)
        throws Exception {
      Window window = state.value();
      if (window == null) {
        window = new Window();
      }
      window.add(event, intervalMs);
      state.update(window);
      Asked asked = new Asked();
      asked.deviceId = event.device_id;
      asked.times = Arrays.copyOfRange(window.times, window.start, window.end);
      asked.readings =
          Arrays.copyOfRange(
              window.readings, Window.SENSORS * window.start, Window.SENSORS * window.end);
      out.collect(asked);
    }
  }

  private static final class Ask extends Asking<Asked> {
    private transient FeatureEngineeringServiceFutureStub features;
    private transient PredictionServiceFutureStub inference;

    Ask(Job job) {
      super(job);
    }

    @Override
    void connect(ManagedChannel toFeatures, ManagedChannel toInference) {
      features = FeatureEngineeringServiceGrpc.newFutureStub(toFeatures);
      inference = PredictionServiceGrpc.newFutureStub(toInference);
    }

    @Override
    public void asyncInvoke(Asked window, ResultFuture<String> result) {
      ListenableFuture<Prediction> prediction =
          Futures.transformAsync(
              features.engineerFeatures(message(window)),
              inference::predict,
              MoreExecutors.directExecutor());
      Job.complete(
          result, prediction, found -> List.of(json.writeValueAsString(line(window, found))));
    }

    private static RawEventList message(Asked window) {
      RawEventList.Builder list = RawEventList.newBuilder().setDeviceId(window.deviceId);
      for (int row = 0; row < window.times.length; row++) {
        int first = row * Window.SENSORS;
        list.addEvent(
            RawEvent.newBuilder()
                .setDeviceId(window.deviceId)
                .setTime(window.times[row])
                .setSensor1(window.readings[first])
                .setSensor2(window.readings[first + 1])
                .setSensor3(window.readings[first + 2])
                .setSensor4(window.readings[first + 3]));
      }
      return list.build();
    }

    private static Map<String, Object> line(Asked window, Prediction found) {
      return Map.of(
          "device_id", found.getDeviceId(),
          "events", window.times.length,
          "model_id", found.getModelId(),
          "result", found.getResultMap());
    }
  }
}
