package io.latecomer.services.server;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.concurrent.Semaphore;

/**
 * How many calls are answered at a time, open streams included, from the first request of each.
 *
 * <p>One above that is UNAVAILABLE: a client may try it again, here or elsewhere.
 * RESOURCE_EXHAUSTED would tell it that the request itself is too much. Health and reflection do
 * not count, or a busy server would look like a dead one.
 */
final class CallLimit implements ServerInterceptor {
  private final Status reached;
  private final Semaphore free;

  CallLimit(int limit) {
    this.reached =
        Status.UNAVAILABLE.withDescription(
            "the limit of " + limit + " concurrent calls is reached");
    this.free = new Semaphore(limit);
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    return new Counted<>(call, next.startCall(call, headers));
  }

  private final class Counted<Q> extends EndListener<Q> {
    private final ServerCall<Q, ?> call;
    private boolean counts;
    private boolean refused;

    Counted(ServerCall<Q, ?> call, Listener<Q> next) {
      super(next);
      this.call = call;
    }

    @Override
    public void onMessage(Q request) {
      if (counts || enters()) {
        super.onMessage(request);
      }
    }

    private boolean enters() {
      if (!refused && free.tryAcquire()) {
        counts = true;
      } else if (!refused) {
        refused = true;
        call.close(reached, new Metadata());
      }
      return !refused;
    }

    @Override
    public void onHalfClose() {
      if (!refused) {
        super.onHalfClose();
      }
    }

    @Override
    void ended() {
      if (counts) {
        free.release();
      }
    }
  }
}
