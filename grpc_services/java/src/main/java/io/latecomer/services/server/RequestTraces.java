package io.latecomer.services.server;

import com.google.protobuf.ByteString;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.WindowBatch;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A span for each request, a message of a stream as well as a call, under the span of whoever asks.
 * A stream has no other metadata than those of its begin, so its messages name that span
 * themselves.
 */
final class RequestTraces implements ServerInterceptor {
  private static final Metadata.Key<String> TRACE_PARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);

  /** Of version 00, the only one. Source: W3C, Trace Context, section 3.2.2. */
  private static final int PARENT_LENGTH = 55;

  /**
   * Codes by which the span of a server is an error. Source: OpenTelemetry's semantic conventions
   * for gRPC.
   */
  private static final Set<Status.Code> FAULTS =
      EnumSet.of(
          Status.Code.UNKNOWN,
          Status.Code.DEADLINE_EXCEEDED,
          Status.Code.UNIMPLEMENTED,
          Status.Code.INTERNAL,
          Status.Code.UNAVAILABLE,
          Status.Code.DATA_LOSS);

  private static final TextMapGetter<String> ONE =
      new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(String parent) {
          return List.of(TRACE_PARENT.name());
        }

        @Override
        public String get(String parent, String key) {
          return key.equals(TRACE_PARENT.name()) ? parent : null;
        }
      };

  private final Tracer tracer;

  RequestTraces(Tracer tracer) {
    this.tracer = tracer;
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    Traced<Q, R> traced = new Traced<>(call, headers.get(TRACE_PARENT));
    return traced.listener(next.startCall(traced, headers));
  }

  /** A call whose requests are answered one after the other. */
  private final class Traced<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private final String parentOfCall;

    /** Of the request that is being answered; null between two. */
    private final AtomicReference<Span> span = new AtomicReference<>();

    Traced(ServerCall<Q, R> call, String parentOfCall) {
      super(call);
      this.parentOfCall = parentOfCall;
    }

    Listener<Q> listener(Listener<Q> service) {
      return new SimpleForwardingServerCallListener<>(service) {
        @Override
        public void onMessage(Q request) {
          span.set(begun(request));
          watched(() -> super.onMessage(request));
        }

        @Override
        public void onHalfClose() {
          watched(super::onHalfClose);
        }

        @Override
        public void onCancel() {
          end(Status.Code.CANCELLED);
          super.onCancel();
        }
      };
    }

    private Span begun(Q request) {
      String method = getMethodDescriptor().getFullMethodName();
      return tracer
          .spanBuilder(method)
          .setSpanKind(SpanKind.SERVER)
          .setParent(context(parentIn(request)))
          .setAttribute("rpc.system", "grpc")
          .setAttribute("rpc.service", getMethodDescriptor().getServiceName())
          .setAttribute("rpc.method", getMethodDescriptor().getBareMethodName())
          .setAttribute("latecomer.rows", ServiceMetrics.windowsIn(request))
          .startSpan();
    }

    private String parentIn(Q request) {
      ByteString named =
          request instanceof WindowBatch windows
              ? windows.getTraceParent()
              : request instanceof FeatureBatch rows ? rows.getTraceParent() : ByteString.EMPTY;
      if (named.isEmpty()) {
        return parentOfCall;
      }
      return named.size() == PARENT_LENGTH ? named.toStringUtf8() : null;
    }

    /** The status interceptor is further out, and answers the caller on its own call. */
    private void watched(Runnable step) {
      try {
        step.run();
      } catch (RuntimeException error) {
        end(StatusInterceptor.code(error));
        throw error;
      }
    }

    @Override
    public void sendMessage(R answer) {
      Span answered = span.get();
      if (answered != null) {
        answered.setAttribute("latecomer.failed_rows", failedIn(answer));
      }
      end(Status.Code.OK);
      super.sendMessage(answer);
    }

    @Override
    public void close(Status status, Metadata trailers) {
      end(status.getCode());
      super.close(status, trailers);
    }

    private void end(Status.Code code) {
      Span ended = span.getAndSet(null);
      if (ended != null) {
        ended.setAttribute("rpc.grpc.status_code", code.value());
        if (FAULTS.contains(code)) {
          ended.setStatus(StatusCode.ERROR, code.name());
        }
        ended.end();
      }
    }
  }

  private static int failedIn(Object answer) {
    if (answer instanceof FeatureBatch features) {
      return features.getErrorCount();
    }
    return answer instanceof PredictionBatch predictions ? predictions.getErrorCount() : 0;
  }

  /** What a request names; no parent, if it names none: it comes from a stranger. */
  private static Context context(String parent) {
    if (parent == null || parent.length() != PARENT_LENGTH) {
      return Context.root();
    }
    return W3CTraceContextPropagator.getInstance().extract(Context.root(), parent, ONE);
  }
}
