package io.latecomer.services.client;

import io.grpc.StatusRuntimeException;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.WindowBatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** Batches by a call for each. */
final class BatchCalls {
  private BatchCalls() {}

  static Exchange<WindowBatch, FeatureBatch> features(Peer peer) {
    FeatureServiceGrpc.FeatureServiceBlockingStub stub =
        FeatureServiceGrpc.newBlockingStub(peer.channel());
    return new Call<>(
        peer,
        batch ->
            stub.withDeadlineAfter(peer.deadline().toMillis(), TimeUnit.MILLISECONDS)
                .engineerFeatures(batch));
  }

  static Exchange<FeatureBatch, PredictionBatch> predictions(Peer peer) {
    InferenceServiceGrpc.InferenceServiceBlockingStub stub =
        InferenceServiceGrpc.newBlockingStub(peer.channel());
    return new Call<>(
        peer,
        batch ->
            stub.withDeadlineAfter(peer.deadline().toMillis(), TimeUnit.MILLISECONDS)
                .predict(batch));
  }

  private record Call<Q, R>(Peer peer, Function<Q, R> rpc) implements Exchange<Q, R> {
    @Override
    public R exchange(Q request) {
      try {
        return rpc.apply(request);
      } catch (StatusRuntimeException error) {
        throw peer.failure(error.getStatus());
      }
    }
  }
}
