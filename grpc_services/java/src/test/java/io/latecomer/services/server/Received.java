package io.latecomer.services.server;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * What a client receives on one call: its answers, and its status at the end. Every wait has a
 * bound.
 */
final class Received<R> extends ClientCall.Listener<R> implements StreamObserver<R> {
  private static final long BOUND_S = 20;

  private final BlockingQueue<R> answers = new LinkedBlockingQueue<>();
  private final CompletableFuture<Status> status = new CompletableFuture<>();

  R answer() throws Exception {
    R answer = answers.poll(BOUND_S, TimeUnit.SECONDS);
    if (answer == null) {
      throw new AssertionError("no answer, the status is " + status.getNow(null));
    }
    return answer;
  }

  Status status() throws Exception {
    return status.get(BOUND_S, TimeUnit.SECONDS);
  }

  String statusText() throws Exception {
    return status().getCode() + " " + status().getDescription();
  }

  @Override
  public void onNext(R answer) {
    answers.add(answer);
  }

  @Override
  public void onError(Throwable error) {
    status.complete(Status.fromThrowable(error));
  }

  @Override
  public void onCompleted() {
    status.complete(Status.OK);
  }

  @Override
  public void onMessage(R answer) {
    answers.add(answer);
  }

  @Override
  public void onClose(Status closed, Metadata trailers) {
    status.complete(closed);
  }
}
