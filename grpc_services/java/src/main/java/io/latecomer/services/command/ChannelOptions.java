package io.latecomer.services.command;

import io.latecomer.services.SettingsError;
import io.latecomer.services.client.ChannelSettings;
import io.latecomer.services.client.ClientCredentials;
import io.latecomer.services.client.TokenFile;
import io.latecomer.services.client.TokenSettings;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.wire.Compression;
import java.net.URI;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The options of the client that say how it connects. */
final class ChannelOptions {
  @Option(
      names = "--tls-ca",
      paramLabel = "FILE",
      description = "CA to trust, in PEM form, read again when it changes; turns TLS on")
  private Path tlsCa;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description = "own certificate for servers that want one, read again when it changes")
  private Path cert;

  @Option(names = "--tls-key", paramLabel = "FILE", description = "its private key")
  private Path key;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "bearer token for each call, read again when it changes")
  private Path tokenFile;

  @Option(
      names = "--token-endpoint",
      paramLabel = "URL",
      description = "or ask an issuer for it, by the client-credentials grant")
  private URI tokenEndpoint;

  @Option(names = "--client-id", paramLabel = "ID", description = "as whom to ask it")
  private String clientId;

  @Option(
      names = "--client-secret-file",
      paramLabel = "FILE",
      description = "file with the secret to ask it with")
  private Path clientSecret;

  @Option(names = "--token-scope", paramLabel = "TEXT", description = "scope to ask it for")
  private String tokenScope;

  @Option(
      names = "--compression",
      paramLabel = "KIND",
      defaultValue = "none",
      description =
          "gzip: pack requests, and take packed answers; the servers need it too; or none (${DEFAULT-VALUE})")
  private Compression compression;

  ChannelSettings settings() {
    return new ChannelSettings(
        file("tls-ca", tlsCa), file("tls-cert", cert), file("tls-key", key), token(), compression);
  }

  private TokenSettings token() {
    if (tokenEndpoint == null) {
      checkUnused("client-id", clientId);
      checkUnused("client-secret-file", clientSecret);
      checkUnused("token-scope", tokenScope);
      return tokenFile == null ? null : new TokenFile(file("token-file", tokenFile));
    }
    if (tokenFile != null) {
      throw new SettingsError("token-file and --token-endpoint exclude each other");
    }
    return new ClientCredentials(
        tokenEndpoint, clientId, file("client-secret-file", clientSecret), tokenScope);
  }

  private static void checkUnused(String name, Object value) {
    if (value != null) {
      throw new SettingsError(name + " has no effect without --token-endpoint");
    }
  }

  private static SettingFile file(String setting, Path path) {
    return path == null ? null : new SettingFile(setting, path);
  }
}
