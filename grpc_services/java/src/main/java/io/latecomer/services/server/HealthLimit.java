package io.latecomer.services.server;

import io.grpc.Attributes;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How often one connection may watch the health, which needs no token. Each connection has its own
 * count: who watches a thousand times keeps nobody else from watching.
 */
final class HealthLimit extends ServerTransportFilter implements ServerInterceptor {
  /**
   * A client watches the server as a whole, or its services, once. The Python servers have the
   * same.
   */
  private static final int MOST = 8;

  private static final Attributes.Key<Semaphore> FREE = Attributes.Key.create("health-watches");

  private static final Status REACHED =
      Status.RESOURCE_EXHAUSTED.withDescription("a connection may watch " + MOST + " times");

  @Override
  public Attributes transportReady(Attributes connection) {
    return connection.toBuilder().set(FREE, new Semaphore(MOST)).build();
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (call.getMethodDescriptor().getType() == MethodType.UNARY) {
      return next.startCall(call, headers);
    }
    Semaphore free = call.getAttributes().get(FREE);
    if (!free.tryAcquire()) {
      call.close(REACHED, new Metadata());
      return new Listener<>() {};
    }
    try {
      return new Counted<>(free, next.startCall(call, headers));
    } catch (RuntimeException | Error error) {
      free.release();
      throw error;
    }
  }

  private static final class Counted<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Semaphore free;
    private final AtomicBoolean released = new AtomicBoolean();

    Counted(Semaphore free, Listener<Q> next) {
      super(next);
      this.free = free;
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
