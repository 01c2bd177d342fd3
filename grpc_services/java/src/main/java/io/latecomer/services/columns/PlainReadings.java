package io.latecomer.services.columns;

import io.latecomer.services.rules.ExactMean;

/** Readings that are added up when they are asked about: no memory is spent on sums. */
final class PlainReadings extends Readings {
  PlainReadings(boolean[] optional, int capacity) {
    super(optional, capacity);
  }

  @Override
  void added(int start, int end) {}

  @Override
  void begun(Readings source, int start, int end, int inserted) {}

  @Override
  int firstFaulty(int sensor, int start, int end) {
    for (int row = start; row < end; row++) {
      float reading = values[first(sensor) + row];
      if (!Float.isFinite(reading) && !isAbsent(sensor, reading)) {
        return row;
      }
    }
    return -1;
  }

  @Override
  int count(int sensor, int start, int end) {
    int count = 0;
    for (int row = start; row < end; row++) {
      count += Float.isNaN(values[first(sensor) + row]) ? 0 : 1;
    }
    return count;
  }

  @Override
  double sum(int sensor, int start, int end) {
    int first = first(sensor);
    int count = count(sensor, start, end);
    if (count == end - start) {
      return ExactMean.sum(values, first + start, first + end);
    }
    float[] present = new float[count];
    int next = 0;
    for (int row = start; row < end; row++) {
      if (!Float.isNaN(values[first + row])) {
        present[next++] = values[first + row];
      }
    }
    return ExactMean.sum(present, 0, count);
  }
}
