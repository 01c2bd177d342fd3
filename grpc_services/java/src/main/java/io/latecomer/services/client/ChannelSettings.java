package io.latecomer.services.client;

import io.latecomer.services.SettingsError;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.wire.Compression;

/**
 * What a user can set about the connections of the client, checked at once.
 *
 * @param tlsCa whom to trust; {@code null} for plain connections
 * @param cert the client's own certificate, {@code null} for none
 * @param key its key
 * @param token where tokens come from, {@code null} for none
 */
public record ChannelSettings(
    SettingFile tlsCa,
    SettingFile cert,
    SettingFile key,
    TokenSettings token,
    Compression compression) {
  /** No encryption, no token. */
  public static final ChannelSettings PLAIN =
      new ChannelSettings(null, null, null, null, Compression.none);

  /**
   * Checks that they fit together.
   *
   * @throws SettingsError if they do not, above all if a token would travel over a plain channel
   */
  public ChannelSettings {
    if ((cert == null) != (key == null)) {
      throw new SettingsError("tls-cert and --tls-key need each other");
    }
    if (tlsCa == null && cert != null) {
      throw new SettingsError("tls-cert needs --tls-ca");
    }
    if (tlsCa == null && token != null) {
      throw new SettingsError(
          token.setting() + " needs --tls-ca: a token is never sent over a plain channel");
    }
  }
}
