package io.latecomer.services.columns;

import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import java.nio.ByteBuffer;

/** The rows of one device: they are only ever added to. */
public final class HeldColumn {
  private final Sensors sensors;
  private final int room;
  private final Readings readings;
  private int rows;

  /**
   * An empty column.
   *
   * @param room rows that it may hold
   * @param readings none yet, with memory for those that are going to be added
   */
  HeldColumn(Sensors sensors, int room, Readings readings) {
    this.sensors = sensors;
    this.room = room;
    this.readings = readings;
  }

  int rows() {
    return rows;
  }

  int room() {
    return room;
  }

  /** Adds rows that stand one behind the other, from the position of the values on. */
  void append(ByteBuffer values, int count) {
    for (int row = rows; row < rows + count; row++) {
      for (int sensor = 0; sensor < sensors.width(); sensor++) {
        readings.set(sensor, row, values.getFloat());
      }
    }
    readings.added(rows, rows + count);
    rows += count;
  }

  /**
   * Begins with rows of another column.
   *
   * @param inserted a row that is put in, {@code row} rows behind the first; null for none
   */
  void begin(HeldColumn source, int start, int end, int row, ByteBuffer inserted) {
    rows = end - start;
    if (inserted == null) {
      readings.copy(0, source.readings, start, end);
    } else {
      readings.copy(0, source.readings, start, start + row);
      for (int sensor = 0; sensor < sensors.width(); sensor++) {
        readings.set(sensor, row, inserted.getFloat());
      }
      readings.copy(row + 1, source.readings, start + row, end);
      rows++;
    }
    readings.begun(source.readings, start, end, inserted == null ? -1 : row);
  }

  /** Why no window of these bounds can be answered; null if it can. */
  public String fault(long start, long end) {
    if (start >= end) {
      return "event: the window holds no event";
    }
    if (end > rows) {
      return RequestError.text(
          "ends: the window ends at %d, out of range: the column holds %d rows", end, rows);
    }
    return null;
  }

  /**
   * The mean of each sensor over a window, of the readings that are there.
   *
   * @return why there is none: the text names the sensor; null if there is
   */
  public String means(int start, int end, float[] means) {
    for (int sensor = 0; sensor < means.length; sensor++) {
      int row = readings.firstFaulty(sensor, start, end);
      if (row >= 0) {
        return sensors.notFinite(sensor, row - start);
      }
    }
    for (int sensor = 0; sensor < means.length; sensor++) {
      int count = readings.count(sensor, start, end);
      if (count == 0) {
        return sensors.noReading(sensor);
      }
      // -0.0 + 0.0 is +0.0
      means[sensor] = (float) (readings.sum(sensor, start, end) / count) + 0.0f;
    }
    return null;
  }
}
