package io.latecomer.services;

/**
 * What others wrote, as it may be shown: a message of a service, a device id, a file name cannot
 * steer a terminal nor add a line to a log. The rule is that of Python's {@code
 * runtime/printable.py}; JSON has escapes of its own.
 */
public final class Printable {
  private static final int BASIC_PLANE = 0xffff;

  private Printable() {}

  /** The text with an escape in place of each character that is no mark on the screen. */
  public static String of(String text) {
    StringBuilder shown = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            code -> {
              if (isSeen(code)) {
                shown.appendCodePoint(code);
              } else {
                shown.append(String.format(code > BASIC_PLANE ? "\\U%08x" : "\\u%04x", code));
              }
            });
    return shown.toString();
  }

  /**
   * Control characters, what overrides the direction of text, halves of characters, line breaks.
   */
  private static boolean isSeen(int code) {
    return switch (Character.getType(code)) {
      case Character.CONTROL,
              Character.FORMAT,
              Character.SURROGATE,
              Character.LINE_SEPARATOR,
              Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }
}
