package io.latecomer.services.server;

import io.grpc.ServerCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.TlsServerCredentials.ClientAuth;
import io.latecomer.services.security.Certificates;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.security.WatchedFiles;

/**
 * The encryption of a server's connections.
 *
 * @param clientCa {@code null}, or the CA of the certificate that each client must show
 */
public record TlsSettings(SettingFile cert, SettingFile key, SettingFile clientCa) {
  /**
   * Reads the files, and again when they change.
   *
   * @throws io.latecomer.services.SettingsError if one cannot be used now
   */
  ServerCredentials credentials(WatchedFiles watch) {
    TlsServerCredentials.Builder builder =
        TlsServerCredentials.newBuilder().keyManager(Certificates.identity(watch, cert, key));
    if (clientCa != null) {
      builder
          .trustManager(Certificates.authorities(watch, clientCa))
          .clientAuth(ClientAuth.REQUIRE);
    }
    return builder.build();
  }
}
