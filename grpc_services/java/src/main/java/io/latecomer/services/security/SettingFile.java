package io.latecomer.services.security;

import io.latecomer.services.SettingsError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file that a setting names. What is said of it names the setting and the path, never what the
 * file holds.
 */
public record SettingFile(String setting, Path path) {
  /**
   * The whole file.
   *
   * @throws SettingsError if it cannot be read
   */
  public byte[] read() {
    try {
      return Files.readAllBytes(path);
    } catch (IOException error) {
      throw wrong("cannot be read: " + error.getClass().getSimpleName());
    }
  }

  /** What to throw about this file. */
  public SettingsError wrong(String what) {
    return new SettingsError(setting + ": " + path + " " + what);
  }
}
