package io.latecomer.services.server;

import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** All that is logged while it is open. */
public final class LogLines extends Handler implements AutoCloseable {
  private static final Logger ROOT = Logger.getLogger("");

  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final Queue<String> seen = new ConcurrentLinkedQueue<>();

  public LogLines() {
    setFormatter(new SimpleFormatter());
    ROOT.addHandler(this);
  }

  @Override
  public void publish(LogRecord record) {
    String line = getFormatter().format(record);
    seen.add(line);
    lines.add(line);
  }

  /** Waits for so many lines that contain the text. */
  public void await(String text, int count) throws InterruptedException {
    int found = 0;
    while (found < count) {
      String line = lines.poll(20, TimeUnit.SECONDS);
      if (line == null) {
        throw new AssertionError("not logged: " + text + "; but: " + seen);
      }
      found += line.contains(text) ? 1 : 0;
    }
  }

  public String text() {
    return String.join("", seen);
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    ROOT.removeHandler(this);
  }
}
