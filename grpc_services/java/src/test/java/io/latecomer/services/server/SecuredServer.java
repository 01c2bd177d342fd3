package io.latecomer.services.server;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.latecomer.services.security.Authority;
import io.latecomer.services.security.Issuer;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.wire.Compression;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;

/** A server with TLS on a free port whose files are in a folder of the test. */
public final class SecuredServer implements AutoCloseable {
  public static final Authority AUTHORITY = new Authority("the CA");

  public final Path cert;
  public final Path key;
  public final Path clientCa;
  public final Path jwks;
  public ServiceServer server;

  /** The files are there, with a certificate for 127.0.0.1; the server is yet to be started. */
  public SecuredServer(Path folder) throws Exception {
    cert = folder.resolve("server.pem");
    key = folder.resolve("server.key");
    clientCa = folder.resolve("client-ca.pem");
    jwks = folder.resolve("jwks.json");
    AUTHORITY.issue("127.0.0.1").writeTo(cert, key);
    Authority.replace(clientCa, AUTHORITY.certificate());
  }

  public SecuredServer start(Service service, boolean mutual, boolean tokens) throws Exception {
    return start(service, mutual, tokens ? rules("latecomer." + service, List.of()) : null);
  }

  /** Starts it with rules of its own for tokens, or none for {@code null}. */
  public SecuredServer start(Service service, boolean mutual, TokenRules rules) throws Exception {
    SettingFile ca = mutual ? new SettingFile("tls-client-ca", clientCa) : null;
    TlsSettings tls =
        new TlsSettings(new SettingFile("tls-cert", cert), new SettingFile("tls-key", key), ca);
    Access access = new Access(tls, rules, false);
    server =
        ServiceServer.start(
            new ServerSettings(
                service,
                "127.0.0.1",
                0,
                LimitSettings.DEFAULT,
                access,
                Compression.gzip,
                ColumnSettings.DEFAULT,
                null));
    return this;
  }

  public TokenRules rules(String scope, List<String> subjects) {
    return new TokenRules(
        new SettingFile("jwks", jwks),
        Issuer.NAME,
        Issuer.AUDIENCE,
        TokenRules.DEFAULT_ALGORITHMS,
        Duration.ofSeconds(30),
        scope,
        subjects);
  }

  /** A new connection that trusts the CA. */
  public ManagedChannel channel() throws Exception {
    return channel(trusting(AUTHORITY).build());
  }

  public ManagedChannel channel(ChannelCredentials credentials) {
    return Grpc.newChannelBuilder(server.address(), credentials).build();
  }

  public static TlsChannelCredentials.Builder trusting(Authority authority) throws Exception {
    return TlsChannelCredentials.newBuilder().trustManager(stream(authority.certificate()));
  }

  public static TlsChannelCredentials.Builder showing(Authority.Identity identity)
      throws Exception {
    return trusting(AUTHORITY).keyManager(stream(identity.cert()), stream(identity.key()));
  }

  private static InputStream stream(String text) {
    return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Puts these headers of authorization on a call; none for {@code null}. */
  public static CallCredentials authorization(String header) {
    return new CallCredentials() {
      @Override
      public void applyRequestMetadata(
          RequestInfo info, Executor executor, MetadataApplier applier) {
        Metadata headers = new Metadata();
        if (header != null) {
          headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), header);
        }
        applier.apply(headers);
      }
    };
  }

  @Override
  public void close() throws InterruptedException {
    if (server != null) {
      server.drain();
    }
  }
}
