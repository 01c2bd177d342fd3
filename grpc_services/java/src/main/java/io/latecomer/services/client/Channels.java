package io.latecomer.services.client;

import io.grpc.CallCredentials;
import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import io.latecomer.services.security.Certificates;
import io.latecomer.services.security.WatchedFiles;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Opens channels that a company would allow: encrypted, with a token, over several servers, and
 * patient with one that stops.
 */
public final class Channels implements AutoCloseable {
  /** As the servers' own default; also what a call may hold until it need not be tried again. */
  private static final int MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

  /** The servers allow 20 s. */
  private static final int KEEPALIVE_S = 30;

  /** A peer that does not answer a sign of life for so long is gone. */
  private static final int KEEPALIVE_TIMEOUT_S = 10;

  /**
   * gRPC's own service config: calls go round the servers that say they are healthy; five attempts,
   * the most that gRPC allows, span 3 s, longer than it waits to connect again. The throttle: 50
   * more failures than a tenth of the successes, as when a server dies under load, and nothing is
   * tried again.
   */
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "loadBalancingConfig",
          List.of(Map.of("round_robin", Map.of())),
          "healthCheckConfig",
          Map.of("serviceName", ""),
          "retryThrottling",
          Map.of("maxTokens", 100.0, "tokenRatio", 0.1),
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(Map.of()),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts",
                      5.0,
                      "initialBackoff",
                      "0.2s",
                      "maxBackoff",
                      "2s",
                      "backoffMultiplier",
                      2.0,
                      "retryableStatusCodes",
                      List.of("UNAVAILABLE")))));

  private final WatchedFiles files = new WatchedFiles();
  private final ChannelSettings settings;
  private final ChannelCredentials credentials;
  private final CallCredentials token;

  /**
   * Reads the files of the settings, and again when they change.
   *
   * @throws io.latecomer.services.SettingsError if one cannot be used now
   */
  public Channels(ChannelSettings settings) {
    this.settings = settings;
    try {
      this.credentials = credentials();
      this.token = settings.token() == null ? null : new BearerToken(settings.token().open(files));
    } catch (RuntimeException error) {
      files.close();
      throw error;
    }
  }

  private ChannelCredentials credentials() {
    if (settings.tlsCa() == null) {
      return InsecureChannelCredentials.create();
    }
    TlsChannelCredentials.Builder tls =
        TlsChannelCredentials.newBuilder()
            .trustManager(Certificates.authorities(files, settings.tlsCa()));
    if (settings.cert() != null) {
      tls.keyManager(Certificates.identity(files, settings.cert(), settings.key()));
    }
    return tls.build();
  }

  /** Opens a channel; it connects with the first call. */
  ManagedChannel open(Addresses addresses) {
    return Grpc.newChannelBuilder(addresses.target(), credentials)
        .decompressorRegistry(settings.compression().unpacked())
        .maxInboundMessageSize(MAX_MESSAGE_BYTES)
        .perRpcBufferLimit(MAX_MESSAGE_BYTES)
        .retryBufferSize(4L * MAX_MESSAGE_BYTES)
        .keepAliveTime(KEEPALIVE_S, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_S, TimeUnit.SECONDS)
        .disableServiceConfigLookUp()
        .defaultServiceConfig(SERVICE_CONFIG)
        .build();
  }

  /**
   * What goes with each call of a user. It is not the channel's, or the health checks would need a
   * token, and hide why there is none.
   */
  CallOptions options(CallOptions given) {
    CallOptions options = token == null ? given : given.withCallCredentials(token);
    return switch (settings.compression()) {
      case none -> options;
      case gzip -> options.withCompression("gzip");
    };
  }

  @Override
  public void close() {
    files.close();
  }
}
