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
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * Batches over one stream to each service: each request waits for its answer, and the deadline is
 * that of an answer.
 */
final class StreamCalls {
  private StreamCalls() {}

  static Exchange<WindowBatch, FeatureBatch> features(Peer peer) {
    return new Stream<>(
        peer,
        () -> FeatureServiceGrpc.newBlockingV2Stub(peer.channel()).streamFeatures(),
        batch -> batch.toBuilder().clearSensor().build());
  }

  static Exchange<FeatureBatch, PredictionBatch> predictions(Peer peer) {
    return new Stream<>(
        peer,
        () -> InferenceServiceGrpc.newBlockingV2Stub(peer.channel()).streamPredictions(),
        UnaryOperator.identity());
  }

  private static final class Stream<Q, R> implements Exchange<Q, R> {
    private final Peer peer;
    private final Supplier<BlockingClientCall<Q, R>> opener;

    /** What of a request is sent when it is not the first of its stream. */
    private final UnaryOperator<Q> later;

    private BlockingClientCall<Q, R> call;

    Stream(Peer peer, Supplier<BlockingClientCall<Q, R>> opener, UnaryOperator<Q> later) {
      this.peer = peer;
      this.opener = opener;
      this.later = later;
    }

    @Override
    public Peer peer() {
      return peer;
    }

    /**
     * A server that stops, or wants a new connection, ends its streams between answers: then the
     * request goes over a new one. Before its first answer gRPC itself tries that one again.
     */
    @Override
    public R exchange(Q request) {
      boolean fresh = call == null;
      try {
        if (fresh) {
          call = opener.get();
        }
        return answer(fresh ? request : later.apply(request));
      } catch (StatusException error) {
        call = null;
        if (fresh || error.getStatus().getCode() != Status.Code.UNAVAILABLE) {
          throw peer.failure(error.getStatus());
        }
        return exchange(request);
      }
    }

    private R answer(Q request) throws StatusException {
      try {
        long millis = peer.deadline().toMillis();
        boolean sent = call.write(request, millis, TimeUnit.MILLISECONDS);
        R answer = call.read(millis, TimeUnit.MILLISECONDS);
        if (!sent || answer == null) {
          throw Status.UNAVAILABLE
              .withDescription("the stream ended before its answer")
              .asException();
        }
        return answer;
      } catch (TimeoutException error) {
        throw Status.DEADLINE_EXCEEDED
            .withDescription("no answer on the stream in " + peer.deadline())
            .asException();
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
        throw Status.CANCELLED.asException();
      }
    }

    @Override
    public void close() {
      if (call != null) {
        call.halfClose();
      }
    }
  }
}
