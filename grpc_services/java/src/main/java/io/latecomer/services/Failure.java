package io.latecomer.services;

import java.util.regex.Pattern;

/**
 * The command could not do its work; the message is the one line that the user reads. Exit status
 * 1.
 */
public final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What netty puts before the text of the operating system. */
  private static final Pattern SYSTEM_CALL =
      Pattern.compile("\\w+\\(\\.\\.\\) failed with error\\(-\\d+\\): ");

  public Failure(String message, Throwable cause) {
    super(SYSTEM_CALL.matcher(message).replaceAll("").replaceAll("\\s+", " "), cause);
  }

  public Failure(String message) {
    this(message, null);
  }
}
