package io.latecomer.services.server;

import com.google.protobuf.ByteString;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.DerivedColumn;
import io.latecomer.v1.WindowBatch;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes a request for tests, a field after the other; wrong ones, too. */
final class Requests {
  private final WindowBatch.Builder batch = WindowBatch.newBuilder();
  private final Bytes numbers = new Bytes();
  private final Bytes rooms = new Bytes();
  private final Bytes appendedNumbers = new Bytes();
  private final Bytes appendedCounts = new Bytes();
  private final Bytes times = new Bytes();
  private final Bytes readings = new Bytes();
  private final Bytes windows = new Bytes();
  private final Bytes starts = new Bytes();
  private final Bytes ends = new Bytes();
  private final Bytes dropped = new Bytes();

  private static final class Bytes extends ByteArrayOutputStream {
    void int32(long value) {
      writeBytes(little(Integer.BYTES).putInt((int) value).array());
    }

    void int64(long value) {
      writeBytes(little(Long.BYTES).putLong(value).array());
    }

    void float32(float value) {
      writeBytes(little(Float.BYTES).putFloat(value).array());
    }

    ByteString bytes() {
      return ByteString.copyFrom(toByteArray());
    }

    private static ByteBuffer little(int bytes) {
      return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  /** A first message: the only one that names the sensors. */
  static Requests about(Sensors sensors) {
    Requests requests = new Requests();
    requests.batch.addAllSensor(sensors.declared());
    return requests;
  }

  /** A later message of a stream. */
  static Requests later() {
    return new Requests();
  }

  Requests define(long number, long room) {
    batch.addDeviceId("d" + number);
    numbers.int32(number);
    rooms.int32(room);
    return this;
  }

  Requests derive(long number, long room, long source, long start, long end) {
    return derive(number, room, source, start, end, 0);
  }

  /** With a row put in, unless there are no readings. */
  Requests derive(
      long number, long room, long source, long start, long end, long row, float... inserted) {
    Bytes bytes = new Bytes();
    for (float reading : inserted) {
      bytes.float32(reading);
    }
    batch.addDerived(
        DerivedColumn.newBuilder()
            .setNumber((int) number)
            .setRoom((int) room)
            .setSource((int) source)
            .setStart((int) start)
            .setEnd((int) end)
            .setRow((int) row)
            .setReadings(bytes.bytes()));
    return this;
  }

  Requests append(long number, float[]... rows) {
    appendedNumbers.int32(number);
    appendedCounts.int32(rows.length);
    for (float[] row : rows) {
      times.int64(0);
      for (float reading : row) {
        readings.float32(reading);
      }
    }
    return this;
  }

  Requests ask(long number, long start, long end) {
    windows.int32(number);
    starts.int32(start);
    ends.int32(end);
    return this;
  }

  Requests drop(long number) {
    dropped.int32(number);
    return this;
  }

  WindowBatch.Builder builder() {
    return batch
        .setNumber(numbers.bytes())
        .setRoom(rooms.bytes())
        .setAppendedNumber(appendedNumbers.bytes())
        .setAppendedCount(appendedCounts.bytes())
        .setTimes(times.bytes())
        .setReadings(readings.bytes())
        .setWindowNumber(windows.bytes())
        .setStarts(starts.bytes())
        .setEnds(ends.bytes())
        .setDroppedNumber(dropped.bytes());
  }

  WindowBatch build() {
    return builder().build();
  }
}
