package io.latecomer.services.server;

import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/**
 * What the library of traces warns of, in a line now and then and without a stack trace: it tries
 * again for as long as the process runs.
 */
final class TraceWarnings extends Handler {
  private static final long EVERY_NANOS = TimeUnit.MINUTES.toNanos(1);

  private static final Logger logger = Logger.getLogger(TraceWarnings.class.getName());

  /** Held here, since loggers are forgotten when nobody holds them. */
  private static final Logger LIBRARY = Logger.getLogger("io.opentelemetry");

  private static final SimpleFormatter TEXT = new SimpleFormatter();

  private final String url;

  /** When the last one was told; guarded by this. */
  private Long toldNanos;

  private TraceWarnings(String url) {
    this.url = url;
    setLevel(Level.WARNING);
  }

  /** They are told from now on. */
  static TraceWarnings of(String url) {
    TraceWarnings warnings = new TraceWarnings(url);
    LIBRARY.setUseParentHandlers(false);
    LIBRARY.addHandler(warnings);
    return warnings;
  }

  @Override
  public void publish(LogRecord record) {
    if (isLoggable(record) && isDue()) {
      String line = TEXT.formatMessage(record).strip().replaceAll("\\s+", " ");
      logger.warning(() -> "--traces " + url + ": " + line);
    }
  }

  private synchronized boolean isDue() {
    long now = System.nanoTime();
    if (toldNanos != null && now - toldNanos < EVERY_NANOS) {
      return false;
    }
    toldNanos = now;
    return true;
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    LIBRARY.removeHandler(this);
  }
}
