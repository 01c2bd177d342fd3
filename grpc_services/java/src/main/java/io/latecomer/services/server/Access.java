package io.latecomer.services.server;

import io.latecomer.services.SettingsError;

/**
 * Who may reach a server.
 *
 * @param tls {@code null} for plain connections
 * @param tokens {@code null} to take calls without a token
 * @param allowPlain whether plain connections may come from other machines
 */
public record Access(TlsSettings tls, TokenRules tokens, boolean allowPlain) {
  /** This machine only, since nothing is encrypted. */
  public static final Access LOCAL = new Access(null, null, false);

  /**
   * Checks that they fit together.
   *
   * @throws SettingsError if tokens would travel over plain connections
   */
  public Access {
    if (tokens != null && tls == null) {
      throw new SettingsError("jwks needs --tls-cert and --tls-key: a token must not travel plain");
    }
  }
}
