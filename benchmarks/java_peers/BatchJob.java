import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.ManagedChannel;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.FeatureServiceGrpc.FeatureServiceFutureStub;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.InferenceServiceGrpc.InferenceServiceFutureStub;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.WindowBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * A job on {@code latecomer.v1}: batches in which the windows of a device share their rows. No
 * rules, ids, rejections.
 */
public final class BatchJob {
  /** Of each slot; more leave no core to the services. */
  private static final int IN_FLIGHT = 2;

  public static void main(String[] arguments) throws Exception {
    Job job = new Job(arguments);
    job.run(
        AsyncDataStream.orderedWait(
            job.events()
                .keyBy(event -> event.device_id)
                .transform(
                    "windows", Types.POJO(Batch.Asked.class), new BatchOperator(job.intervalMs)),
            new Ask(job),
            60,
            TimeUnit.SECONDS,
            IN_FLIGHT));
  }

  private static final class Ask extends Asking<Batch.Asked> {
    private transient FeatureServiceFutureStub features;
    private transient InferenceServiceFutureStub inference;

    Ask(Job job) {
      super(job);
    }

    @Override
    void connect(ManagedChannel toFeatures, ManagedChannel toInference) {
      features = FeatureServiceGrpc.newFutureStub(toFeatures);
      inference = InferenceServiceGrpc.newFutureStub(toInference);
    }

    @Override
    public void asyncInvoke(Batch.Asked batch, ResultFuture<String> result) throws Exception {
      ListenableFuture<PredictionBatch> predictions =
          Futures.transformAsync(
              features.engineerFeatures(WindowBatch.parseFrom(batch.message)),
              inference::predict,
              MoreExecutors.directExecutor());
      Job.complete(result, predictions, found -> lines(batch, found));
    }

    private List<String> lines(Batch.Asked batch, PredictionBatch found) throws Exception {
      List<String> lines = new ArrayList<>(found.getRows());
      for (int row = 0; row < found.getRows(); row++) {
        lines.add(
            json.writeValueAsString(
                Map.of(
                    "device_id",
                    batch.deviceIds[row],
                    "events",
                    batch.events[row],
                    "model_id",
                    found.getModelId(),
                    "result",
                    Map.of(found.getKey(0), found.getValue(row)))));
      }
      return lines;
    }
  }
}
