package io.latecomer.services.wire;

import com.google.errorprone.annotations.FormatMethod;
import java.util.Locale;

/**
 * A request that cannot be answered. The message begins with the field at fault; the caller gets
 * INVALID_ARGUMENT.
 */
public final class RequestError extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A refusal with a text that is known. */
  public RequestError(String message) {
    // No stack trace: this is an answer to a peer, not a defect here.
    super(message, null, false, false);
  }

  /** A refusal with a text made by {@link #text}. */
  @FormatMethod
  public static RequestError of(String form, Object... values) {
    return new RequestError(text(form, values));
  }

  /** The text of a fault, the same whatever the language of the machine. */
  @FormatMethod
  public static String text(String form, Object... values) {
    return String.format(Locale.ROOT, form, values);
  }
}
