package io.latecomer.services.server;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.ServerCall;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Says once that a call has ended, whichever way. gRPC ends every call by exactly one of the two;
 * the flag holds even if it did not.
 */
abstract class EndListener<Q> extends SimpleForwardingServerCallListener<Q> {
  private final AtomicBoolean ended = new AtomicBoolean();

  EndListener(ServerCall.Listener<Q> next) {
    super(next);
  }

  abstract void ended();

  @Override
  public final void onComplete() {
    end();
    super.onComplete();
  }

  @Override
  public final void onCancel() {
    end();
    super.onCancel();
  }

  private void end() {
    if (ended.compareAndSet(false, true)) {
      ended();
    }
  }
}
