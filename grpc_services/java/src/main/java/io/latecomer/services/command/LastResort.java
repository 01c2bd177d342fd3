package io.latecomer.services.command;

import java.nio.charset.StandardCharsets;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * What a server does where the machine gives it nothing more: it still writes its log without a
 * file descriptor, and ends without memory, so that whoever started it can start it again.
 */
final class LastResort {
  private static final int FAILURE = 1;

  private static final Logger logger = Logger.getLogger(LastResort.class.getName());

  private static final byte[] NO_MEMORY =
      "no memory is left: give the JVM more with -Xmx\n".getBytes(StandardCharsets.UTF_8);

  private LastResort() {}

  static void prepare() {
    // The first line of a log reads the rules of time zones, and loads classes, out of files.
    LogRecord line = new LogRecord(Level.INFO, "");
    line.setThrown(new IllegalStateException());
    var unused = new PrintableLines().format(line);
    Thread.setDefaultUncaughtExceptionHandler(LastResort::uncaught);
  }

  /** A thread that ran out of memory has left something half done. */
  private static void uncaught(Thread thread, Throwable error) {
    if (error instanceof OutOfMemoryError) {
      System.err.write(NO_MEMORY, 0, NO_MEMORY.length);
      Runtime.getRuntime().halt(FAILURE);
    }
    logger.log(Level.SEVERE, error, () -> "thread " + thread.getName() + " ended");
  }
}
