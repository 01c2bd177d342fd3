package io.latecomer.services.server;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How many calls are answered at a time, open streams included.
 *
 * <p>One above that is UNAVAILABLE: a client may try it again, here or elsewhere.
 * RESOURCE_EXHAUSTED would tell it that the request itself is too much. Health and reflection do
 * not count, or a busy server would look like a dead one.
 */
final class CallLimit implements ServerInterceptor {
  private final int limit;
  private final Semaphore free;

  CallLimit(int limit) {
    this.limit = limit;
    this.free = new Semaphore(limit);
  }

  /** Waits until no call is open; whether that came about in time. */
  boolean awaitNone(Duration time) throws InterruptedException {
    boolean none = free.tryAcquire(limit, time.toMillis(), TimeUnit.MILLISECONDS);
    if (none) {
      free.release(limit);
    }
    return none;
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (!free.tryAcquire()) {
      String text = "the limit of " + limit + " concurrent calls is reached";
      call.close(Status.UNAVAILABLE.withDescription(text), new Metadata());
      return new Listener<>() {};
    }
    try {
      return new Counted<>(next.startCall(call, headers));
    } catch (RuntimeException | Error error) {
      free.release();
      throw error;
    }
  }

  /** gRPC ends every call by exactly one of the two; the flag holds even if it did not. */
  private final class Counted<Q> extends SimpleForwardingServerCallListener<Q> {
    private final AtomicBoolean released = new AtomicBoolean();

    Counted(Listener<Q> next) {
      super(next);
    }

    @Override
    public void onComplete() {
      release();
      super.onComplete();
    }

    @Override
    public void onCancel() {
      release();
      super.onCancel();
    }

    private void release() {
      if (released.compareAndSet(false, true)) {
        free.release();
      }
    }
  }
}
