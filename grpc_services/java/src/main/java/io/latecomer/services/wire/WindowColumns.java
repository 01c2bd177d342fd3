package io.latecomer.services.wire;

import com.google.protobuf.ByteString;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.WindowBatch;

/**
 * The decoder of a {@link WindowBatch}: it says which rows can be read, and reads nothing outside
 * of them.
 *
 * <p>Refused whole is only what cannot be taken apart into rows: ids and bounds of another number,
 * columns of another length. A window that is empty or ends behind the columns is the fault of its
 * row.
 *
 * <p>Windows may share readings, so the events of all of them are bounded, and with them the work
 * of a batch.
 */
public final class WindowColumns {
  /** An event counts as often as it is in a window. The Python servers have the same. */
  private static final long MOST_EVENTS = 1 << 22;

  private final long[] starts;
  private final long[] ends;

  /** The number of values in each column. */
  private final int size;

  private final float[][] sensors;

  /**
   * Looks at the shape of a batch.
   *
   * @throws RequestError if the batch cannot be taken apart into rows, or its windows hold too many
   *     events in all
   */
  public WindowColumns(WindowBatch batch) {
    int windows = Rows.count(batch.getEvaluationIdCount(), batch.getDeviceIdCount());
    starts = bounds("starts", batch.getStarts(), windows);
    ends = bounds("ends", batch.getEnds(), windows);
    size = batch.getTimes().size() / Long.BYTES;
    checkLength("times", batch.getTimes(), "int64", Long.BYTES);
    sensors =
        new float[][] {
          readings(0, batch.getSensor1()),
          readings(1, batch.getSensor2()),
          readings(2, batch.getSensor3()),
          readings(3, batch.getSensor4())
        };
    checkEvents();
  }

  private static long[] bounds(String field, ByteString bytes, int windows) {
    if (bytes.size() != windows * Integer.BYTES) {
      throw new RequestError(
          RequestError.text(
              "%s: %d bytes are not %d uint32, one for each window", field, bytes.size(), windows));
    }
    return Column.unsignedInts(bytes);
  }

  private float[] readings(int sensor, ByteString bytes) {
    checkLength(Sensors.COLUMNS.get(sensor), bytes, "float32", Float.BYTES);
    return Column.floats(bytes);
  }

  private void checkLength(String field, ByteString bytes, String type, int width) {
    if (bytes.size() != (long) size * width) {
      throw new RequestError(
          RequestError.text(
              "%s: %d bytes are not %d %s, one for each event", field, bytes.size(), size, type));
    }
  }

  private void checkEvents() {
    long events = 0;
    for (int row = 0; row < rows(); row++) {
      events += fault(row) == null ? ends[row] - starts[row] : 0;
    }
    if (events > MOST_EVENTS) {
      throw new RequestError(
          RequestError.text(
              "ends: the windows hold %d events in all, those of a request may hold %d",
              events, MOST_EVENTS));
    }
  }

  public int rows() {
    return starts.length;
  }

  /**
   * What is wrong with the bounds of a row: the text names the field. Null if its window can be
   * read.
   */
  public String fault(int row) {
    if (starts[row] >= ends[row]) {
      return "event: the window holds no event";
    }
    return ends[row] <= size
        ? null
        : RequestError.text(
            "ends: the window ends at %d, out of range: the columns hold %d values",
            ends[row], size);
  }

  /** The first reading of the row; only if {@link #fault} is null. */
  public int start(int row) {
    return Math.toIntExact(starts[row]);
  }

  /** The reading behind the last of the row; only if {@link #fault} is null. */
  public int end(int row) {
    return Math.toIntExact(ends[row]);
  }

  /** All readings of one sensor, 0 to 3, in its own unit; not copied. */
  public float[] sensor(int index) {
    return sensors[index];
  }
}
