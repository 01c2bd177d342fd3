package io.latecomer.services.columns;

import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.services.wire.WindowRequest;
import io.latecomer.v1.DerivedColumn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * The columns of one stream, or of one call: defined, derived, added to, and dropped by their
 * numbers.
 *
 * <p>A column there is no room for is known, but not held. Not safe for several threads.
 */
public final class Columns implements AutoCloseable {
  /** A number is below this. The Python servers have the same. */
  private static final int NUMBERS = 1 << 20;

  /** Rows of one column at most. The Python servers have the same. */
  private static final int MOST_ROOM = 1 << 22;

  private final Sensors sensors;
  private final Holding holding;
  private final Map<Integer, HeldColumn> held = new HashMap<>();
  private final BitSet notHeld = new BitSet();

  private Columns(Sensors sensors, Holding holding) {
    this.sensors = sensors;
    this.holding = holding;
  }

  /** The columns of a stream: there may be no room for some. */
  public static Columns ofStream(Sensors sensors, ColumnMemory memory) {
    return new Columns(sensors, memory.ofStream());
  }

  /** The columns of a call: there is room for all that the request brings. */
  public static Columns ofCall(Sensors sensors, WindowRequest request) {
    return new Columns(sensors, new HoldingOfCall(sensors, request));
  }

  /**
   * Carries out what a request says of columns, but for the drops.
   *
   * @throws RequestError if it cannot be carried out
   */
  public void change(WindowRequest request) {
    define(request.numbers(), request.rooms());
    request.derived().forEach(this::derive);
    append(request);
  }

  private boolean isDefined(long number) {
    return number < NUMBERS && (held.containsKey((int) number) || notHeld.get((int) number));
  }

  private static void checkRange(String field, long number) {
    if (number >= NUMBERS) {
      throw RequestError.of(
          "%s: %d is out of range, a column has a number below %d", field, number, NUMBERS);
    }
  }

  private void checkDefined(String field, long number) {
    if (!isDefined(number)) {
      throw RequestError.of("%s: column %d is not defined", field, number);
    }
  }

  private void define(long[] numbers, long[] rooms) {
    for (long number : numbers) {
      checkRange("number", number);
    }
    BitSet seen = new BitSet();
    for (long number : numbers) {
      if (isDefined(number) || seen.get((int) number)) {
        throw RequestError.of("number: column %d is defined already", number);
      }
      seen.set((int) number);
    }
    for (long room : rooms) {
      if (!isRoom(room)) {
        throw RequestError.of("room: %d is not from 1 to %d", room, MOST_ROOM);
      }
    }
    for (int i = 0; i < numbers.length; i++) {
      hold((int) numbers[i], 0, (int) rooms[i]);
    }
  }

  private static boolean isRoom(long room) {
    return room >= 1 && room <= MOST_ROOM;
  }

  /** The new column; null if there is no room for it. */
  private HeldColumn hold(int number, int begins, int room) {
    Readings readings = holding.take(number, begins, room);
    if (readings == null) {
      notHeld.set(number);
      return null;
    }
    HeldColumn column = new HeldColumn(sensors, room, readings);
    held.put(number, column);
    return column;
  }

  private void derive(DerivedColumn derived) {
    long number = Integer.toUnsignedLong(derived.getNumber());
    long room = Integer.toUnsignedLong(derived.getRoom());
    long from = Integer.toUnsignedLong(derived.getSource());
    checkRange("derived", number);
    if (isDefined(number)) {
      throw RequestError.of("derived: column %d is defined already", number);
    }
    if (!isRoom(room)) {
      throw RequestError.of("derived: room %d is not from 1 to %d", room, MOST_ROOM);
    }
    checkDefined("derived", from);
    HeldColumn source = held.get((int) from);
    long start = Integer.toUnsignedLong(derived.getStart());
    long end = Integer.toUnsignedLong(derived.getEnd());
    if (source != null && (start > end || end > source.rows())) {
      throw RequestError.of(
          "derived: rows %d to %d are not rows of column %d, which holds %d",
          start, end, from, source.rows());
    }
    boolean inserts = !derived.getReadings().isEmpty();
    long row = Integer.toUnsignedLong(derived.getRow());
    long begins = end - start + (inserts ? 1 : 0);
    if (inserts && row >= begins) {
      throw RequestError.of(
          "derived: row %d is outside the %d rows of column %d", row, begins, number);
    }
    if (begins > room) {
      throw RequestError.of(
          "derived: column %d has room for %d rows, not for %d", number, room, begins);
    }
    if (source == null) {
      notHeld.set((int) number);
      return;
    }
    HeldColumn column = hold((int) number, (int) begins, (int) room);
    if (column != null) {
      ByteBuffer inserted =
          derived.getReadings().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
      column.begin(source, (int) start, (int) end, (int) row, inserts ? inserted : null);
    }
  }

  private void append(WindowRequest request) {
    long[] numbers = request.appendedNumbers();
    long[] counts = request.appendedCounts();
    for (long number : numbers) {
      checkDefined("appended_number", number);
    }
    BitSet seen = new BitSet();
    for (long number : numbers) {
      if (seen.get((int) number)) {
        throw RequestError.of("appended_number: column %d stands there twice", number);
      }
      seen.set((int) number);
    }
    for (int i = 0; i < numbers.length; i++) {
      HeldColumn column = held.get((int) numbers[i]);
      if (column != null && column.rows() + counts[i] > column.room()) {
        throw RequestError.of(
            "appended_count: column %d has room for %d rows, not for %d",
            numbers[i], column.room(), column.rows() + counts[i]);
      }
    }
    ByteBuffer values = request.readings();
    for (int i = 0; i < numbers.length; i++) {
      HeldColumn column = held.get((int) numbers[i]);
      int count = (int) counts[i]; // the message holds so many rows
      if (column == null) {
        values.position(values.position() + count * sensors.width() * Float.BYTES);
      } else {
        column.append(values, count);
      }
    }
  }

  /**
   * The columns of windows; null for each that is not held.
   *
   * @throws RequestError if one is not defined
   */
  public HeldColumn[] columns(long[] numbers) {
    HeldColumn[] columns = new HeldColumn[numbers.length];
    for (int i = 0; i < numbers.length; i++) {
      checkDefined("window_number", numbers[i]);
      columns[i] = held.get((int) numbers[i]);
    }
    return columns;
  }

  /**
   * Drops columns, which may be held or not.
   *
   * @throws RequestError if there is none of a number
   */
  public void drop(long[] numbers) {
    for (long number : numbers) {
      checkDefined("dropped_number", number);
      HeldColumn column = held.remove((int) number);
      if (column == null) {
        notHeld.clear((int) number);
      } else {
        holding.free(column.room());
      }
    }
  }

  /** Gives all memory back. */
  @Override
  public void close() {
    held.clear();
    notHeld.clear();
    holding.close();
  }
}
