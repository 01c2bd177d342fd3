package io.latecomer.services.server;

import io.grpc.Attributes;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import java.util.concurrent.Semaphore;

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
      return new EndListener<>(next.startCall(call, headers)) {
        @Override
        void ended() {
          free.release();
        }
      };
    } catch (RuntimeException | Error error) {
      free.release();
      throw error;
    }
  }
}
