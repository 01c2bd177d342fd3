package io.latecomer.services.server;

import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.ServerInterceptor;
import io.grpc.TlsChannelCredentials;
import io.latecomer.services.SettingsError;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.spi.ConfigProperties;
import io.opentelemetry.sdk.autoconfigure.spi.ConfigurationException;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Traces that are sent to a collector, by OTLP over gRPC. The library sends them from a thread of
 * its own, out of a queue with an upper bound: no call waits, and what the queue cannot hold is
 * dropped. Everything but the address is set by the variables that the library reads itself.
 */
final class Traces implements AutoCloseable {
  /** What a collector that does not answer may cost at the end; Python's servers have the same. */
  private static final int LAST_SENT_WITHIN_S = 2;

  private static final AttributeKey<String> NAME = AttributeKey.stringKey("service.name");
  private static final String UNNAMED = "unknown_service";

  private final URI collector;
  private final OpenTelemetrySdk sdk;
  private final TraceWarnings warnings;

  /** Null where the library makes its own. */
  private ManagedChannel channel;

  private Traces(String url, Service service) {
    collector = URI.create(url);
    warnings = TraceWarnings.of(url);
    sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .disableShutdownHook()
            .addPropertiesCustomizer(config -> fixed(url))
            .addResourceCustomizer((resource, config) -> named(resource, service))
            .addSpanExporterCustomizer(this::secured)
            .build()
            .getOpenTelemetrySdk();
  }

  /**
   * Begins to send.
   *
   * @throws SettingsError if a variable of OpenTelemetry is wrong
   */
  static Traces open(String url, Service service) {
    try {
      return new Traces(url, service);
    } catch (ConfigurationException | IllegalArgumentException error) {
      throw new SettingsError(
          "traces: a variable of OpenTelemetry is wrong: " + error.getMessage());
    }
  }

  private static Map<String, String> fixed(String url) {
    return Map.of(
        "otel.traces.exporter", "otlp",
        "otel.metrics.exporter", "none",
        "otel.logs.exporter", "none",
        "otel.exporter.otlp.traces.protocol", "grpc",
        "otel.exporter.otlp.traces.endpoint", url);
  }

  private static Resource named(Resource resource, Service service) {
    String name = resource.getAttribute(NAME);
    if (name != null && !name.startsWith(UNNAMED)) {
      return resource;
    }
    return resource.toBuilder().put(NAME, "latecomer-" + service).build();
  }

  /** The library's own channel over gRPC for Java leaves out the certificates that are set. */
  @SuppressWarnings("deprecation") // no other way to give it a channel
  private SpanExporter secured(SpanExporter made, ConfigProperties config) {
    String authorities = file(config, "certificate");
    String certificate = file(config, "client.certificate");
    if (!(made instanceof OtlpGrpcSpanExporter exporter)
        || (authorities == null && certificate == null)) {
      return made;
    }
    exporter.shutdown();
    TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
    try {
      if (authorities != null) {
        credentials.trustManager(new File(authorities));
      }
      if (certificate != null) {
        credentials.keyManager(new File(certificate), new File(file(config, "client.key")));
      }
    } catch (IOException error) {
      throw new ConfigurationException(error.getMessage(), error);
    }
    channel = Grpc.newChannelBuilder(collector.getAuthority(), credentials.build()).build();
    return exporter.toBuilder().setChannel(channel).build();
  }

  private static String file(ConfigProperties config, String name) {
    String ofTraces = config.getString("otel.exporter.otlp.traces." + name);
    return ofTraces == null ? config.getString("otel.exporter.otlp." + name) : ofTraces;
  }

  /** To be the last that sees a call, where requests and answers are messages. */
  ServerInterceptor innermost() {
    return new RequestTraces(sdk.getTracer("latecomer"));
  }

  /** Sends what has not been sent, for as long as that may take. */
  @Override
  public void close() {
    sdk.getSdkTracerProvider().shutdown().join(LAST_SENT_WITHIN_S, TimeUnit.SECONDS);
    if (channel != null) {
      channel.shutdownNow();
    }
    warnings.close();
  }
}
