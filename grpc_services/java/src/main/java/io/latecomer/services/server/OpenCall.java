package io.latecomer.services.server;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.Status;
import io.latecomer.services.wire.WholeRequest;
import java.io.InputStream;
import java.util.concurrent.atomic.AtomicBoolean;

/** One call of {@link OpenCalls}, which knows whether its caller owes it a request. */
final class OpenCall<Q, R> extends SimpleForwardingServerCall<Q, R> {
  enum Phase {
    /** For its first request. */
    WAITS,
    ANSWERED,
    /** A stream between two requests. */
    IDLE,
    ENDED
  }

  final long begunNanos = System.nanoTime();
  final HeldBytes received;
  final boolean awaited;

  /** What tells its connection from others. */
  final Object connection;

  /** Guarded by the calls. */
  Phase phase = Phase.WAITS;

  private final OpenCalls calls;
  private final AtomicBoolean closed = new AtomicBoolean();

  OpenCall(OpenCalls calls, ServerCall<Q, R> call, HeldBytes received, boolean awaited) {
    super(call);
    this.calls = calls;
    this.received = received;
    this.awaited = awaited;
    this.connection = String.valueOf(call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR));
  }

  boolean isWaiting() {
    return phase == Phase.WAITS;
  }

  /** Ends it, unless it is being answered. */
  void evict(Status reason) {
    if (calls.endUnanswered(this)) {
      received.close();
      close(reason, new Metadata());
    }
  }

  @Override
  public void request(int messages) {
    if (calls.becomesIdle(this)) {
      received.release();
    }
    super.request(messages);
  }

  @Override
  public void sendHeaders(Metadata headers) {
    if (!closed.get()) {
      super.sendHeaders(headers);
    }
  }

  @Override
  public void sendMessage(R answer) {
    if (!closed.get()) {
      super.sendMessage(answer);
    }
  }

  @Override
  public void close(Status status, Metadata trailers) {
    if (closed.compareAndSet(false, true)) {
      super.close(status, trailers);
    }
  }

  Listener<Q> listener(Listener<Q> next) {
    return new Arrival(next);
  }

  /** Passes a request on when the whole of it is there: with its end, where there is only one. */
  private final class Arrival extends EndListener<Q> {
    private final boolean single = getMethodDescriptor().getType().clientSendsOneMessage();
    private Q whole;

    Arrival(Listener<Q> next) {
      super(next);
    }

    @Override
    public void onMessage(Q request) {
      Q bytes = bytes(request);
      if (bytes == null) {
        return;
      }
      if (single && whole == null) {
        whole = bytes;
      } else if (calls.enter(OpenCall.this, Phase.ANSWERED)) {
        super.onMessage(bytes);
      }
    }

    /** Null if they cannot be read: the call has then ended. */
    @SuppressWarnings("unchecked") // requests are streams of bytes here
    private Q bytes(Q request) {
      try {
        return (Q) WholeRequest.of((InputStream) request, calls.maxMessageBytes);
      } catch (RuntimeException error) {
        evict(StatusInterceptor.status(error));
        return null;
      }
    }

    @Override
    public void onHalfClose() {
      if (!single) {
        super.onHalfClose();
      } else if (calls.enter(OpenCall.this, Phase.ANSWERED)) {
        if (whole != null) {
          super.onMessage(whole);
        }
        whole = null;
        super.onHalfClose();
      }
    }

    @Override
    void ended() {
      calls.remove(OpenCall.this);
    }
  }
}
