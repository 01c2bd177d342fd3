package io.latecomer.services.columns;

/** The rows of one sensor of a column that its running sum leaves out, by the reason. */
final class OddReadings {
  private final float[] readings;
  private final int first;
  private final int capacity;

  /** Null while there is none; so are the next two. */
  private MarkedRows absent;

  private MarkedRows faulty;
  private ApartReadings apart;

  OddReadings(float[] readings, int first, int capacity) {
    this.readings = readings;
    this.first = first;
    this.capacity = capacity;
  }

  void addAbsent(int row) {
    absent = absent == null ? new MarkedRows(capacity) : absent;
    absent.mark(row);
  }

  void addFaulty(int row) {
    faulty = faulty == null ? new MarkedRows(capacity) : faulty;
    faulty.mark(row);
  }

  void addApart(int row) {
    apart = apart == null ? new ApartReadings(readings, first, capacity) : apart;
    apart.add(row);
  }

  int absent(int start, int end) {
    return absent == null ? 0 : absent.count(start, end);
  }

  /** The first row in the range whose reading cannot be taken; -1 if there is none. */
  int firstFaulty(int start, int end) {
    return faulty == null || faulty.count(start, end) == 0 ? -1 : faulty.next(start);
  }

  /** Null if no reading in the range is set apart. */
  ApartReadings apart(int start, int end) {
    return apart == null || !apart.areIn(start, end) ? null : apart;
  }
}
