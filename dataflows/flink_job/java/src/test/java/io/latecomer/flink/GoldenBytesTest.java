package io.latecomer.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.reader.StreamFormat;
import org.apache.flink.core.fs.local.LocalDataInputStream;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Java's half of the layout; tests/dataflows/flink_job/test_frames.py reads the same bytes in
 * Python.
 */
final class GoldenBytesTest {
  private static final byte[] KEY = {'d', '1'};
  private static final byte[] EVENT = "{\"time\":1}".getBytes(StandardCharsets.UTF_8);
  private static final byte[] NOTHING = {};

  @Test
  void javaWritesTheGoldenBatch() throws Exception {
    Batch batch = new Batch();
    Row record = RecordFrame.row(1_587_920_555_000L, 3, 17, KEY, EVENT);
    batch.add(Batch.RECORD, RecordFrame.frame(record), "state".getBytes(StandardCharsets.UTF_8));
    Row withoutKey = RecordFrame.row(-1, Integer.MAX_VALUE, Long.MAX_VALUE, null, NOTHING);
    batch.add(Batch.RECORD, RecordFrame.frame(withoutKey), null);
    Row withoutValue = RecordFrame.row(0, 0, 0, NOTHING, null);
    batch.add(Batch.RECORD, RecordFrame.frame(withoutValue), NOTHING);
    String device = RecordFrame.keyText("\u00e9".getBytes(StandardCharsets.UTF_8));
    batch.add(Batch.WAKE_UP, Batch.wakeUp(1_587_920_555_001L, device), null);
    assertArrayEquals(golden("batch"), batch.taken(Batch.SAVE));
    assertEquals(0, batch.entries());
  }

  @Test
  void javaReadsTheGoldenAnswer() throws Exception {
    Words words = new Words();
    Answer.read(golden("answer"), words);
    assertEquals(
        List.of(
            "prediction d1 {}",
            "rejection null []",
            "hold d1",
            "timer \u00c3\u00a9 1587920555001",
            "save d1 00ff",
            "release d1 ",
            "forget d1"),
        words);
  }

  @Test
  void javaReadsTheGoldenFile(@TempDir Path folder) throws Exception {
    Path file = Files.write(folder.resolve("golden.frames"), golden("file"));
    try (LocalDataInputStream stream = new LocalDataInputStream(file.toFile());
        StreamFormat.Reader<Row> reader =
            new FileRecords().createReader(new Configuration(), stream)) {
      Row record = reader.read();
      assertEquals("d1", RecordFrame.key(record));
      assertEquals(1_587_920_555_000L, RecordFrame.arrivalMs(RecordFrame.frame(record)));
      assertEquals(RecordFrame.row(1_587_920_555_000L, 3, 17, KEY, EVENT), record);
      Row rejected = reader.read();
      assertEquals("", RecordFrame.key(rejected));
      assertEquals(2, RecordFrame.frame(rejected)[0]);
      assertNull(reader.read());
    }
  }

  private static byte[] golden(String name) throws IOException {
    Properties properties = new Properties();
    try (InputStream file = GoldenBytesTest.class.getResourceAsStream("golden.properties")) {
      properties.load(file);
    }
    return HexFormat.of().parseHex(properties.getProperty(name));
  }

  private static final class Words extends ArrayList<String> implements Answer.Receiver {
    private static final long serialVersionUID = 1L;

    @Override
    public void prediction(byte[] key, byte[] value) {
      add("prediction " + text(key) + " " + text(value));
    }

    @Override
    public void rejection(byte[] key, byte[] value) {
      add("rejection " + text(key) + " " + text(value));
    }

    @Override
    public void hold(String device) {
      add("hold " + device);
    }

    @Override
    public void timer(String device, long wakeupMs) {
      add("timer " + device + " " + wakeupMs);
    }

    @Override
    public void save(String device, byte[] state) {
      add("save " + device + " " + HexFormat.of().formatHex(state));
    }

    @Override
    public void release(String device, byte[] state) {
      add("release " + device + " " + HexFormat.of().formatHex(state));
    }

    @Override
    public void forget(String device) {
      add("forget " + device);
    }

    private static String text(byte[] bytes) {
      return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }
  }
}
