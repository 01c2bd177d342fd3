package io.latecomer.services;

/**
 * A setting cannot be worked with; the message is one line that names it. Found before anything
 * starts.
 */
public final class SettingsError extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SettingsError(String message) {
    super(message);
  }
}
