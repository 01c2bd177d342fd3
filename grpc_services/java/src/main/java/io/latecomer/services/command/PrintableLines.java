package io.latecomer.services.command;

import io.latecomer.services.Printable;
import java.util.Arrays;
import java.util.logging.ConsoleHandler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.stream.Collectors;

/**
 * Formats a log record: its message is one line, and the lines of a trace hold nothing else than
 * text.
 */
public final class PrintableLines extends SimpleFormatter {
  private static final String INDENT = "    ";

  /** What is logged on the terminal of this process goes through it. */
  public static void install() {
    Arrays.stream(Logger.getLogger("").getHandlers())
        .filter(ConsoleHandler.class::isInstance)
        .forEach(handler -> handler.setFormatter(new PrintableLines()));
  }

  @Override
  public String formatMessage(LogRecord record) {
    return Printable.of(super.formatMessage(record));
  }

  @Override
  public String format(LogRecord record) {
    return super.format(record)
        .lines()
        .map(line -> Printable.of(line.replace("\t", INDENT)) + System.lineSeparator())
        .collect(Collectors.joining());
  }
}
