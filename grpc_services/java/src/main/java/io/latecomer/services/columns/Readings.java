package io.latecomer.services.columns;

/**
 * The readings of one column, and exactly rounded sums of those of any sensor over any range of its
 * rows.
 */
abstract class Readings {
  private final boolean[] optional;
  final int capacity;

  /** Sensor after sensor, each with the whole capacity. */
  final float[] values;

  /** None yet. */
  Readings(boolean[] optional, int capacity) {
    this.optional = optional;
    this.capacity = capacity;
    values = new float[Math.multiplyExact(optional.length, capacity)];
  }

  final int width() {
    return optional.length;
  }

  /** Where the readings of a sensor begin. */
  final int first(int sensor) {
    return sensor * capacity;
  }

  final void set(int sensor, int row, float reading) {
    values[first(sensor) + row] = reading;
  }

  /** Takes over rows of another column of the same sensors. */
  final void copy(int row, Readings source, int start, int end) {
    for (int sensor = 0; sensor < width(); sensor++) {
      System.arraycopy(
          source.values, source.first(sensor) + start, values, first(sensor) + row, end - start);
    }
  }

  /** Whether a reading is left out, and nothing is wrong with that. */
  final boolean isAbsent(int sensor, float reading) {
    return optional[sensor] && Float.isNaN(reading);
  }

  /** To be told once that the readings of these rows are there, in the order of the rows. */
  abstract void added(int start, int end);

  /**
   * To be told once, before all others, that the first readings are those of another column.
   *
   * @param inserted the row that was put in between them; -1 for none
   */
  abstract void begun(Readings source, int start, int end, int inserted);

  /** The first row in the range whose reading is neither finite nor absent; -1 if there is none. */
  abstract int firstFaulty(int sensor, int start, int end);

  /** How many readings in the range are not absent; none may be faulty. */
  abstract int count(int sensor, int start, int end);

  /** The exactly rounded sum of those that are not absent; none may be faulty. */
  abstract double sum(int sensor, int start, int end);
}
