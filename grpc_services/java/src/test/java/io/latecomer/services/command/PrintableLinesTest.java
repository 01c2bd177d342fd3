package io.latecomer.services.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import org.junit.jupiter.api.Test;

final class PrintableLinesTest {
  private static List<String> lines(LogRecord record) {
    return new PrintableLines().format(record).lines().toList();
  }

  @Test
  void aMessageIsOneLineWhateverItHolds() {
    LogRecord record = new LogRecord(Level.WARNING, "device {0} is late");
    record.setParameters(new Object[] {"a\nWARNING: token accepted\u001b[2J"});
    List<String> lines = lines(record);
    assertEquals("WARNING: device a\\u000aWARNING: token accepted\\u001b[2J is late", lines.get(1));
    assertEquals(2, lines.size());
  }

  @Test
  void theLinesOfATraceHoldNothingElseThanText() {
    LogRecord record = new LogRecord(Level.SEVERE, "failed");
    record.setThrown(new IllegalStateException("bad\u001b[2J\u202e"));
    List<String> lines = lines(record);
    assertEquals("java.lang.IllegalStateException: bad\\u001b[2J\\u202e", lines.get(2));
    assertTrue(lines.get(3).startsWith("    at io.latecomer"), lines.get(3));
  }
}
