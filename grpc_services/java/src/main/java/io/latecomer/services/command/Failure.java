package io.latecomer.services.command;

/**
 * The command could not do its work; the message is the one line that the user reads. Exit status
 * 1.
 */
public final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public Failure(String message, Throwable cause) {
    super(message.replaceAll("\\s+", " "), cause);
  }

  public Failure(String message) {
    this(message, null);
  }
}
