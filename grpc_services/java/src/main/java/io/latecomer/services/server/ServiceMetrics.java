package io.latecomer.services.server;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.wire.FeatureMatrix;
import io.latecomer.v1.DescribeRequest;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.WindowBatch;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What a service counts: names, labels and buckets are those of the Python servers. A call on a
 * stream counts once when it ends; its answers count one by one.
 */
public final class ServiceMetrics {
  private static final double[] ANSWER_S = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
  };

  private static final double NANOS_IN_S = 1e9;

  private final PrometheusRegistry registry = new PrometheusRegistry();

  private final Counter calls =
      Counter.builder()
          .name("latecomer_service_calls")
          .help("Calls that ended, by gRPC status")
          .labelNames("method", "status")
          .register(registry);

  private final Histogram answers =
      Histogram.builder()
          .name("latecomer_service_answer_seconds")
          .help("From a request to its answer")
          .labelNames("method")
          .classicOnly()
          .classicUpperBounds(ANSWER_S)
          .register(registry);

  private final Counter windows =
      Counter.builder()
          .name("latecomer_service_windows")
          .help("Windows, or rows of features, asked about")
          .labelNames("method")
          .register(registry);

  private final Gauge running =
      Gauge.builder()
          .name("latecomer_service_calls_running")
          .help("Calls that run now")
          .register(registry);

  ServiceMetrics(ColumnMemory columns) {
    GaugeWithCallback.builder()
        .name("latecomer_column_bytes")
        .help("What the columns of all streams hold now, in bytes")
        .callback(gauge -> gauge.call((double) columns.bytes()))
        .register(registry);
    CounterWithCallback.builder()
        .name("latecomer_columns_refused")
        .help("Columns that there was no room for")
        .callback(counter -> counter.call((double) columns.refused()))
        .register(registry);
  }

  /** What is served to Prometheus. */
  public PrometheusRegistry registry() {
    return registry;
  }

  /** To be the first that sees a call: it counts those that others refuse, too. */
  ServerInterceptor outermost() {
    return new Calls();
  }

  /** To be the last, where requests and answers are messages. */
  ServerInterceptor innermost() {
    return new Messages();
  }

  private static String method(ServerCall<?, ?> call) {
    return "/" + call.getMethodDescriptor().getFullMethodName();
  }

  /** A request of the original demo holds one window; who asks for a description, none. */
  static int windowsIn(Object request) {
    if (request instanceof WindowBatch batch) {
      return batch.getWindowNumber().size() / Integer.BYTES;
    }
    if (request instanceof FeatureBatch batch) {
      // Nobody has looked yet whether the rows are there.
      return (int) Math.min(Integer.toUnsignedLong(batch.getRows()), FeatureMatrix.MOST_ROWS);
    }
    return request instanceof DescribeRequest ? 0 : 1;
  }

  private final class Calls implements ServerInterceptor {
    @Override
    public <Q, R> Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      Running one = new Running(method(call));
      ServerCall<Q, R> counted =
          new SimpleForwardingServerCall<>(call) {
            @Override
            public void close(Status status, Metadata trailers) {
              one.end(status.getCode());
              super.close(status, trailers);
            }
          };
      return new SimpleForwardingServerCallListener<>(next.startCall(counted, headers)) {
        @Override
        public void onCancel() {
          one.end(Status.Code.CANCELLED);
          super.onCancel();
        }
      };
    }
  }

  /** A call from its begin to its end, which counts once: it may be closed and cancelled. */
  private final class Running {
    private final String method;
    private final AtomicBoolean ended = new AtomicBoolean();

    Running(String method) {
      this.method = method;
      running.inc();
    }

    void end(Status.Code status) {
      if (ended.compareAndSet(false, true)) {
        running.dec();
        calls.labelValues(method, status.name()).inc();
      }
    }
  }

  private final class Messages implements ServerInterceptor {
    @Override
    public <Q, R> Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      Asked<Q, R> asked = new Asked<>(call);
      return asked.listener(next.startCall(asked, headers));
    }
  }

  /** One request is answered before the next is taken, so that one instant is enough. */
  private final class Asked<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private final String method;
    private long askedNanos;

    Asked(ServerCall<Q, R> call) {
      super(call);
      this.method = method(call);
    }

    Listener<Q> listener(Listener<Q> service) {
      return new SimpleForwardingServerCallListener<>(service) {
        @Override
        public void onMessage(Q request) {
          askedNanos = System.nanoTime();
          windows.labelValues(method).inc(windowsIn(request));
          super.onMessage(request);
        }
      };
    }

    @Override
    public void sendMessage(R answer) {
      answers.labelValues(method).observe((System.nanoTime() - askedNanos) / NANOS_IN_S);
      super.sendMessage(answer);
    }
  }
}
