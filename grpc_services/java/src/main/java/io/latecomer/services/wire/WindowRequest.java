package io.latecomer.services.wire;

import com.google.common.base.Utf8;
import com.google.protobuf.ByteString;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.DerivedColumn;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The decoder of a {@link WindowBatch}: its fields are as long as each other says. What they say of
 * columns is looked at when it is carried out.
 */
public final class WindowRequest {
  /** Of the sensors of a request in a status, which travels in metadata. Python's is the same. */
  private static final int SHOWN_BYTES = 2_000;

  private final WindowBatch batch;
  private final long[] numbers;
  private final long[] rooms;
  private final long[] appendedNumbers;
  private final long[] appendedCounts;
  private final long[] windows;
  private final long[] starts;
  private final long[] ends;
  private final long[] dropped;

  /**
   * Looks at the shape of a request.
   *
   * @throws RequestError if lengths do not fit each other, or there are too many windows
   */
  public WindowRequest(WindowBatch batch, int sensors) {
    this.batch = batch;
    numbers = forEach("number", batch.getNumber(), batch.getDeviceIdCount(), "device_id");
    rooms = forEach("room", batch.getRoom(), batch.getDeviceIdCount(), "device_id");
    for (DerivedColumn derived : batch.getDerivedList()) {
      int size = derived.getReadings().size();
      if (size != 0 && size != sensors * Float.BYTES) {
        throw RequestError.of("derived: the readings are %d bytes, not %d float32", size, sensors);
      }
    }
    appendedNumbers = whole("appended_number", batch.getAppendedNumber());
    appendedCounts =
        forEach(
            "appended_count", batch.getAppendedCount(), appendedNumbers.length, "appended_number");
    checkRows(sensors);
    windows = whole("window_number", batch.getWindowNumber());
    if (windows.length > FeatureMatrix.MOST_ROWS) {
      throw RequestError.of(
          "window_number: %d windows, a request may have %d",
          windows.length, FeatureMatrix.MOST_ROWS);
    }
    starts = forEach("starts", batch.getStarts(), windows.length, "window");
    ends = forEach("ends", batch.getEnds(), windows.length, "window");
    dropped = whole("dropped_number", batch.getDroppedNumber());
  }

  /**
   * Checks that a request is about the sensors of this server.
   *
   * @throws RequestError if it is not
   */
  public static void checkSensors(WindowBatch batch, Sensors sensors) {
    List<String> given = batch.getSensorList();
    if (!given.equals(sensors.declared())) {
      throw RequestError.of(
          "sensor: the request has %s; this server is for %s", shown(given), sensors);
    }
  }

  private static String shown(List<String> names) {
    if (names.isEmpty()) {
      return "none";
    }
    // Their bytes are summed up before a text is made of them: they may be most of the request.
    long size = 2L * (names.size() - 1);
    for (String name : names) {
      size += Utf8.encodedLength(name);
    }
    return size > SHOWN_BYTES ? names.size() + " others" : String.join(", ", names);
  }

  /**
   * Checks a later message of a stream, which is about the sensors of the first.
   *
   * @throws RequestError if it names any
   */
  public static void checkNoSensors(WindowBatch batch) {
    if (batch.getSensorCount() > 0) {
      throw RequestError.of("sensor: only the first message of a stream has sensors");
    }
  }

  private static long[] forEach(String field, ByteString bytes, int count, String owner) {
    if (bytes.size() != (long) count * Integer.BYTES) {
      throw RequestError.of(
          "%s: %d bytes are not %d uint32, one for each %s", field, bytes.size(), count, owner);
    }
    return Column.unsignedInts(bytes);
  }

  private static long[] whole(String field, ByteString bytes) {
    if (bytes.size() % Integer.BYTES != 0) {
      throw RequestError.of(
          "%s: %d bytes are not %d uint32", field, bytes.size(), bytes.size() / Integer.BYTES);
    }
    return Column.unsignedInts(bytes);
  }

  private void checkRows(int sensors) {
    long rows = 0;
    for (long count : appendedCounts) {
      rows += count;
    }
    if (batch.getTimes().size() != rows * Long.BYTES) {
      throw RequestError.of(
          "times: %d bytes are not %d int64, one for each row", batch.getTimes().size(), rows);
    }
    if (batch.getReadings().size() != rows * sensors * Float.BYTES) {
      throw RequestError.of(
          "readings: %d bytes are not %d rows of %d float32",
          batch.getReadings().size(), rows, sensors);
    }
  }

  public long[] numbers() {
    return numbers;
  }

  public long[] rooms() {
    return rooms;
  }

  public List<DerivedColumn> derived() {
    return batch.getDerivedList();
  }

  public long[] appendedNumbers() {
    return appendedNumbers;
  }

  public long[] appendedCounts() {
    return appendedCounts;
  }

  /** Of the rows that are appended, one behind the other. */
  public ByteBuffer readings() {
    return batch.getReadings().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The column of each window. */
  public long[] windows() {
    return windows;
  }

  public long[] starts() {
    return starts;
  }

  public long[] ends() {
    return ends;
  }

  public long[] dropped() {
    return dropped;
  }
}
