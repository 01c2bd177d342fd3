package io.latecomer.services.server;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.latecomer.services.wire.RequestError;
import java.util.logging.Level;
import java.util.logging.Logger;

/** The one place that knows which exception is which gRPC status, for calls and inside streams. */
final class StatusInterceptor implements ServerInterceptor {
  private static final Logger logger = Logger.getLogger(StatusInterceptor.class.getName());

  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    return new Guard<>(call, next.startCall(call, headers));
  }

  /** Anything unknown is a defect of this server: the caller learns no more, the log has it all. */
  static Status status(RuntimeException error) {
    Status known = known(error);
    if (known != null) {
      return known;
    }
    logger.log(Level.SEVERE, "a call failed inside the server", error);
    return Status.INTERNAL.withDescription("the server failed on this call; its log says why");
  }

  /** The code of the same, for whoever only looks. */
  static Status.Code code(RuntimeException error) {
    Status known = known(error);
    return known == null ? Status.Code.INTERNAL : known.getCode();
  }

  /** Null for what nobody here throws on purpose. */
  private static Status known(RuntimeException error) {
    if (error instanceof RequestError) {
      return Status.INVALID_ARGUMENT.withDescription(error.getMessage());
    }
    return error instanceof StatusRuntimeException passed ? passed.getStatus() : null;
  }

  private static final class Guard<Q> extends SimpleForwardingServerCallListener<Q> {
    private final ServerCall<Q, ?> call;
    private boolean closed;

    Guard(ServerCall<Q, ?> call, Listener<Q> next) {
      super(next);
      this.call = call;
    }

    @Override
    public void onMessage(Q message) {
      guarded(() -> super.onMessage(message));
    }

    @Override
    public void onHalfClose() {
      guarded(super::onHalfClose);
    }

    @Override
    public void onReady() {
      guarded(super::onReady);
    }

    private void guarded(Runnable step) {
      if (closed) {
        return;
      }
      try {
        step.run();
      } catch (RuntimeException error) {
        closed = true;
        call.close(status(error), new Metadata());
      }
    }
  }
}
