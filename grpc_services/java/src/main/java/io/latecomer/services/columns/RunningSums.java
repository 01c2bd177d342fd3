package io.latecomer.services.columns;

import java.math.BigInteger;

/**
 * Readings with, for each sensor, their running sum: a sum over a range is one subtraction, and
 * exactly rounded as {@link io.latecomer.services.rules.ExactMean} has it.
 *
 * <p>A running sum is a long, in units of a power of two that suits the first readings of the
 * sensor in this column. It may wrap around: only the difference of two of them has to fit, and the
 * unit is so large that no range of the column can exceed it. A reading that is no whole number of
 * units, or too many, is set apart and added exactly. Source: Neal, "Fast exact summation using
 * small and large superaccumulators", 2015, on sums as integers.
 */
final class RunningSums extends Readings {
  private static final int MAGNITUDE = 0x7fffffff;
  private static final int INFINITE = 0x7f800000;
  private static final int SIGNIFICAND_BITS = 24;

  /** The smallest float32 is 2 to this power; its biased exponent is 1. */
  private static final int UNIT_EXPONENT = -149;

  /** Binades above the largest of the first readings, for later ones. */
  private static final int HEADROOM = 3;

  /** Sensor after sensor, each up to its row, this one included. */
  private final long[] sums;

  /** By sensor: the biased exponent of its unit; 0 until a reading is not zero. */
  private final int[] units;

  /** How many binades above the unit a reading may be. */
  private final int spread;

  /** By sensor; null where there is none. */
  private final OddReadings[] odd;

  RunningSums(boolean[] optional, int capacity) {
    super(optional, capacity);
    sums = new long[values.length];
    units = new int[width()];
    odd = new OddReadings[width()];
    int countBits = Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(capacity - 1, 0));
    spread = Long.SIZE - 1 - SIGNIFICAND_BITS - countBits;
  }

  @Override
  void added(int start, int end) {
    for (int sensor = 0; sensor < width(); sensor++) {
      if (units[sensor] == 0) {
        units[sensor] = unit(first(sensor), start, end);
      }
      sumUp(sensor, start, end);
    }
  }

  @Override
  void begun(Readings from, int start, int end, int inserted) {
    RunningSums source = (RunningSums) from;
    int rows = end - start + (inserted < 0 ? 0 : 1);
    for (int sensor = 0; sensor < width(); sensor++) {
      // The same unit holds where as many readings fit, and nothing was left out.
      if (source.units[sensor] != 0 && source.odd[sensor] == null && source.spread <= spread) {
        units[sensor] = source.units[sensor];
        takeOver(sensor, source, start, end, inserted);
      } else {
        units[sensor] = unit(first(sensor), 0, rows);
        sumUp(sensor, 0, rows);
      }
    }
  }

  private void takeOver(int sensor, RunningSums source, int start, int end, int inserted) {
    int row = inserted < 0 ? end - start : inserted;
    long below = source.sumBelow(sensor, start);
    int to = first(sensor);
    int gap = source.first(sensor) + start - to; // from a row here to the same one there
    for (int i = to; i < to + row; i++) {
      sums[i] = source.sums[i + gap] - below;
    }
    if (inserted >= 0) {
      sumUp(sensor, row, row + 1);
      below -= sumBelow(sensor, row + 1) - sumBelow(sensor, row);
      for (int i = to + row + 1; i < to + end - start + 1; i++) {
        sums[i] = source.sums[i + gap - 1] - below;
      }
    }
  }

  /** Suits the largest reading; 0 if all are zero or not finite. */
  private int unit(int first, int start, int end) {
    int largest = 0;
    for (int i = first + start; i < first + end; i++) {
      int magnitude = Float.floatToRawIntBits(values[i]) & MAGNITUDE;
      largest = magnitude < INFINITE ? Math.max(largest, magnitude) : largest;
    }
    return largest == 0 ? 0 : Math.max(exponent(largest) + HEADROOM - spread, 1);
  }

  private void sumUp(int sensor, int start, int end) {
    int first = first(sensor);
    long sum = sumBelow(sensor, start);
    for (int row = start; row < end; row++) {
      int bits = Float.floatToRawIntBits(values[first + row]);
      long value = inUnits(bits & MAGNITUDE, units[sensor]);
      if (value < 0) {
        leaveOut(sensor, row, values[first + row]);
      } else {
        sum += bits < 0 ? -value : value;
      }
      sums[first + row] = sum;
    }
  }

  /** A reading without its sign, or -1 if the running sum cannot have it. */
  private long inUnits(int magnitude, int unit) {
    int above = exponent(magnitude) - unit;
    long significand = significand(magnitude);
    if (magnitude >= INFINITE || above > spread) {
      return -1;
    }
    if (above >= 0) {
      return significand << above;
    }
    long below = above > -SIGNIFICAND_BITS ? (1L << -above) - 1 : -1L; // a unit
    return (significand & below) == 0 ? significand >> Math.min(-above, SIGNIFICAND_BITS) : -1;
  }

  private void leaveOut(int sensor, int row, float reading) {
    if (odd[sensor] == null) {
      odd[sensor] = new OddReadings(values, first(sensor), capacity);
    }
    if (Float.isFinite(reading)) {
      odd[sensor].addApart(row);
    } else if (isAbsent(sensor, reading)) {
      odd[sensor].addAbsent(row);
    } else {
      odd[sensor].addFaulty(row);
    }
  }

  @Override
  int firstFaulty(int sensor, int start, int end) {
    return odd[sensor] == null ? -1 : odd[sensor].firstFaulty(start, end);
  }

  @Override
  int count(int sensor, int start, int end) {
    return end - start - (odd[sensor] == null ? 0 : odd[sensor].absent(start, end));
  }

  @Override
  double sum(int sensor, int start, int end) {
    long difference = sumBelow(sensor, end) - sumBelow(sensor, start);
    int shift = Math.max(units[sensor], 1) - 1;
    ApartReadings apart = odd[sensor] == null ? null : odd[sensor].apart(start, end);
    if (apart == null) {
      return Math.scalb((double) difference, shift + UNIT_EXPONENT);
    }
    BigInteger sum = BigInteger.valueOf(difference).shiftLeft(shift).add(apart.sum(start, end));
    // doubleValue rounds half to even, once; a power of two then only moves the exponent.
    return Math.scalb(sum.doubleValue(), UNIT_EXPONENT);
  }

  private long sumBelow(int sensor, int row) {
    return row == 0 ? 0 : sums[first(sensor) + row - 1];
  }

  /** The biased exponent; subnormal values have the unit of the smallest normal ones. */
  static int exponent(int magnitude) {
    return Math.max(magnitude >>> (SIGNIFICAND_BITS - 1), 1);
  }

  static long significand(int magnitude) {
    long significand = magnitude & 0x7fffff;
    return magnitude >= 0x800000 ? significand | 0x800000 : significand;
  }
}
