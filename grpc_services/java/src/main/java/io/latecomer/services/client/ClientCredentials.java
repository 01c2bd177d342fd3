package io.latecomer.services.client;

import io.latecomer.services.SettingsError;
import io.latecomer.services.security.Hosts;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.security.WatchedFiles;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;

/**
 * Tokens by the client-credentials grant of OAuth 2.0 (RFC 6749, section 4.4).
 *
 * @param endpoint the issuer's token endpoint: https, or on this machine
 * @param clientId who asks
 * @param secret the file of its secret, read for each token
 * @param scope what to ask for, names with spaces between; {@code null} leaves it to the issuer
 */
public record ClientCredentials(URI endpoint, String clientId, SettingFile secret, String scope)
    implements TokenSettings {
  /**
   * Checks every value.
   *
   * @throws SettingsError if one is missing, or if the secret would travel plain
   */
  public ClientCredentials {
    if (clientId == null || clientId.isBlank() || secret == null) {
      throw new SettingsError("token-endpoint needs --client-id and --client-secret-file");
    }
    boolean web = endpoint.getHost() != null && endpoint.getUserInfo() == null;
    boolean encrypted = "https".equals(endpoint.getScheme());
    if (!web || !(encrypted || isLocal(endpoint))) {
      throw new SettingsError("token-endpoint must be an https URL, or http on this machine");
    }
  }

  private static boolean isLocal(URI endpoint) {
    return "http".equals(endpoint.getScheme()) && Hosts.isLoopback(endpoint.getHost());
  }

  @Override
  public String setting() {
    return "token-endpoint";
  }

  @Override
  public Source open(WatchedFiles watch) {
    readSecret();
    return new TokenEndpoint(this, InstantSource.system(), TokenEndpoint.ANSWER_WITHIN);
  }

  /** The secret as it is now. */
  String readSecret() {
    String text = new String(secret.read(), StandardCharsets.UTF_8).strip();
    if (!TokenSettings.isToken(text)) {
      throw secret.wrong("holds no secret: one line without spaces is needed");
    }
    return text;
  }
}
