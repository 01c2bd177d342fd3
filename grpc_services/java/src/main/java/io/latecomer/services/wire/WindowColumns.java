package io.latecomer.services.wire;

import com.google.protobuf.ByteString;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.WindowBatch;
import java.util.List;

/**
 * The decoder of a {@link WindowBatch}: it says which rows can be read, and reads nothing outside
 * of them.
 *
 * <p>Refused whole is only what cannot be taken apart into rows: ids that do not match, offsets
 * that are not one more than the windows. Everything else is the fault of a row; bytes behind the
 * last window are the fault of the last row, since its end says how long the columns are.
 *
 * <p>No reading is used by two rows, so the work of a batch is bounded by its size.
 */
public final class WindowColumns {
  private static final List<String> NAMES =
      List.of(
          "times",
          Sensors.COLUMNS.get(0),
          Sensors.COLUMNS.get(1),
          Sensors.COLUMNS.get(2),
          Sensors.COLUMNS.get(3));

  private static final List<String> TYPES =
      List.of("int64", "float32", "float32", "float32", "float32");

  private static final int[] WIDTHS = {
    Long.BYTES, Float.BYTES, Float.BYTES, Float.BYTES, Float.BYTES
  };

  private final long[] offsets;

  /** For each row, how far the rows before it reach: its window has to begin there or behind. */
  private final long[] reached;

  private final List<ByteString> columns;

  /** The number of whole values in each column. */
  private final int[] sizes = new int[NAMES.size()];

  /** The first of the shortest columns. */
  private final int shortest;

  private final float[][] sensors = new float[Sensors.COLUMNS.size()][];

  /**
   * Looks at the shape of a batch.
   *
   * @throws InvalidRequest if the batch cannot be taken apart into rows
   */
  public WindowColumns(WindowBatch batch) {
    int windows = Rows.count(batch.getEvaluationIdCount(), batch.getDeviceIdCount());
    if (batch.getOffsets().size() != (windows + 1) * Integer.BYTES) {
      throw new InvalidRequest(
          InvalidRequest.text(
              "offsets: %d bytes are not %d uint32, one more than there are windows",
              batch.getOffsets().size(), windows + 1));
    }
    offsets = Column.unsignedInts(batch.getOffsets());
    columns =
        List.of(
            batch.getTimes(),
            batch.getSensor1(),
            batch.getSensor2(),
            batch.getSensor3(),
            batch.getSensor4());
    if (windows == 0) {
      checkEmpty();
    }
    int least = 0;
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = columns.get(i).size() / WIDTHS[i];
      least = sizes[i] < sizes[least] ? i : least;
    }
    shortest = least;
    for (int i = 0; i < sensors.length; i++) {
      sensors[i] = Column.floats(columns.get(i + 1));
    }
    reached = reached(offsets, sizes[shortest]);
  }

  private void checkEmpty() {
    String field = offsets[0] == 0 ? null : "offsets";
    for (int i = 0; field == null && i < NAMES.size(); i++) {
      field = columns.get(i).isEmpty() ? null : NAMES.get(i);
    }
    if (field != null) {
      throw new InvalidRequest(field + ": there is no window for these values");
    }
  }

  /** Offsets out of range do not count, or one of them would condemn all rows behind it. */
  private static long[] reached(long[] offsets, int size) {
    long[] reached = new long[offsets.length];
    long most = 0;
    for (int i = 0; i < offsets.length; i++) {
      most = offsets[i] <= size ? Math.max(most, offsets[i]) : most;
      reached[i] = most;
    }
    return reached;
  }

  public int rows() {
    return offsets.length - 1;
  }

  /**
   * What is wrong with the shape of a row: the text names the field. Null if its window can be
   * read.
   */
  public String fault(int row) {
    long start = offsets[row];
    long end = offsets[row + 1];
    if (row == 0 && start != 0) {
      return InvalidRequest.text("offsets: the first is %d, not 0", start);
    }
    if (end == start) {
      return "offsets: the window holds no event";
    }
    if (end < start || start < reached[row]) {
      return InvalidRequest.text(
          "offsets: the window goes back, from %d to %d",
          Math.max(start, reached[row]), Math.min(start, end));
    }
    if (end > sizes[shortest]) {
      return outOfRange(end);
    }
    return row == rows() - 1 ? surplus(end) : null;
  }

  private String outOfRange(long end) {
    for (int size : sizes) {
      if (size != sizes[shortest]) {
        return InvalidRequest.text(
            "%s: %d values, the window ends at %d", NAMES.get(shortest), sizes[shortest], end);
      }
    }
    return InvalidRequest.text(
        "offsets: the window ends at %d, out of range: the columns hold %d values",
        end, sizes[shortest]);
  }

  /** What stands behind the last window. */
  private String surplus(long end) {
    for (int i = 0; i < sizes.length; i++) {
      if (sizes[i] != end) {
        return InvalidRequest.text(
            "%s: %d values, the last window ends at %d", NAMES.get(i), sizes[i], end);
      }
      int bytes = columns.get(i).size();
      if (bytes % WIDTHS[i] != 0) {
        return InvalidRequest.text(
            "%s: %d bytes are not a whole number of %s", NAMES.get(i), bytes, TYPES.get(i));
      }
    }
    return null;
  }

  /** The first reading of the row; only if {@link #fault} is null. */
  public int start(int row) {
    return Math.toIntExact(offsets[row]);
  }

  /** The reading behind the last of the row; only if {@link #fault} is null. */
  public int end(int row) {
    return Math.toIntExact(offsets[row + 1]);
  }

  /** All readings of one sensor, 0 to 3, in its own unit; not copied. */
  public float[] sensor(int index) {
    return sensors[index];
  }
}
