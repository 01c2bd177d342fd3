package io.latecomer.services.client;

import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.WindowBatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Batches over one stream to each service: each request waits for its answer, and the deadline is
 * that of an answer.
 */
final class StreamCalls {
  private StreamCalls() {}

  static Exchange<WindowBatch, FeatureBatch> features(Peer peer) {
    return new Stream<>(
        peer, FeatureServiceGrpc.newBlockingV2Stub(peer.channel()).streamFeatures());
  }

  static Exchange<FeatureBatch, PredictionBatch> predictions(Peer peer) {
    return new Stream<>(
        peer, InferenceServiceGrpc.newBlockingV2Stub(peer.channel()).streamPredictions());
  }

  private record Stream<Q, R>(Peer peer, BlockingClientCall<Q, R> call) implements Exchange<Q, R> {
    @Override
    public R exchange(Q request) {
      try {
        long millis = peer.deadline().toMillis();
        boolean sent = call.write(request, millis, TimeUnit.MILLISECONDS);
        R answer = call.read(millis, TimeUnit.MILLISECONDS);
        if (!sent || answer == null) {
          throw peer.failure(
              Status.UNAVAILABLE.withDescription("the stream ended before its answer"));
        }
        return answer;
      } catch (StatusException error) {
        throw peer.failure(error.getStatus());
      } catch (TimeoutException error) {
        throw peer.failure(
            Status.DEADLINE_EXCEEDED.withDescription(
                "no answer on the stream in " + peer.deadline()));
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
        throw peer.failure(Status.CANCELLED);
      }
    }

    @Override
    public void close() {
      call.halfClose();
    }
  }
}
