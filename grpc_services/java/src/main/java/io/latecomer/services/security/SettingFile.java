package io.latecomer.services.security;

import io.latecomer.services.SettingsError;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file that a setting names. What is said of it names the setting and the path, never what the
 * file holds.
 */
public record SettingFile(String setting, Path path) {
  /** Certificates, keys, key sets and tokens take some kilobytes. */
  private static final int MOST_BYTES = 1 << 20;

  /**
   * The whole file.
   *
   * @throws SettingsError if it cannot be read
   */
  public byte[] read() {
    try (InputStream file = Files.newInputStream(path)) {
      byte[] bytes = file.readNBytes(MOST_BYTES + 1);
      if (bytes.length > MOST_BYTES) {
        throw wrong("has more than " + MOST_BYTES + " bytes");
      }
      return bytes;
    } catch (IOException error) {
      throw wrong("cannot be read: " + error.getClass().getSimpleName());
    }
  }

  /** The setting and the path. */
  public String name() {
    return setting + ": " + path;
  }

  /** What to throw about this file. */
  public SettingsError wrong(String what) {
    return new SettingsError(name() + " " + what);
  }
}
