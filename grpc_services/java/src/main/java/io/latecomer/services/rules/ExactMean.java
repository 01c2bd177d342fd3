package io.latecomer.services.rules;

import java.math.BigInteger;

/**
 * The mean of float32 readings, the same bits in every language and in every order.
 *
 * <p>The rule: the exactly rounded sum of the readings in double (Python's {@code math.fsum}),
 * divided by the count in double, rounded to float32, a zero as +0.0. A float32 has 24 significant
 * bits and a double 53, so while the exponents of a window lie close together a plain loop in
 * double cannot round at all, and its result is the exact sum. One look at the bits tells. For the
 * other windows the sum is kept exactly, as an integer multiple of the smallest float32.
 */
public final class ExactMean {
  private static final int MAGNITUDE = 0x7fffffff;
  private static final int INFINITE = 0x7f800000;
  private static final int SIGNIFICAND_BITS = 24;
  private static final int DOUBLE_BITS = 53;

  /** The smallest float32 is 2 to this power: every float32 is an integer multiple of it. */
  private static final int UNIT_EXPONENT = -149;

  /** A limb holds the readings of eight neighbouring exponents; 255 exponents make 32 limbs. */
  private static final int LIMB_SHIFT = 3;

  private static final int LIMBS = 32;

  private ExactMean() {}

  /**
   * The mean of {@code readings[from]} up to, without, {@code readings[to]}.
   *
   * @param readings in the sensor's own unit
   * @return the mean in the same unit, or NaN if a reading is not finite; the mean of finite
   *     readings is finite
   * @throws IllegalArgumentException if the range is empty
   */
  public static float of(float[] readings, int from, int to) {
    int count = to - from;
    if (count <= 0) {
      throw new IllegalArgumentException("no reading to take the mean of");
    }
    double sum = sum(readings, from, to);
    return Double.isNaN(sum) ? Float.NaN : (float) (sum / count) + 0.0f; // -0.0 + 0.0 is +0.0
  }

  /**
   * The exactly rounded sum of {@code readings[from]} up to, without, {@code readings[to]}.
   *
   * @return finite, or NaN if a reading is not finite
   */
  public static double sum(float[] readings, int from, int to) {
    int largest = 0;
    int smallest = MAGNITUDE;
    for (int i = from; i < to; i++) {
      int magnitude = Float.floatToRawIntBits(readings[i]) & MAGNITUDE;
      largest = Math.max(largest, magnitude);
      // A zero becomes the largest int: it adds nothing, so its exponent does not count.
      smallest = Math.min(smallest, (magnitude - 1) & MAGNITUDE);
    }
    if (largest >= INFINITE) {
      return Double.NaN;
    }
    return isPlainSumExact(largest, smallest + 1, to - from)
        ? plain(readings, from, to)
        : exact(readings, from, to);
  }

  /**
   * Every reading is a multiple of the smallest one's unit in the last place, and so is every
   * partial sum. None exceeds {@code count} times the power of two above the largest one. While
   * that many units fit a double, no addition rounds.
   */
  private static boolean isPlainSumExact(int largest, int smallest, int count) {
    int bitsOfCount = 32 - Integer.numberOfLeadingZeros(count - 1);
    int spread = exponent(largest) - exponent(smallest);
    return spread + SIGNIFICAND_BITS + bitsOfCount <= DOUBLE_BITS;
  }

  /** The biased exponent; subnormal values have the unit of the smallest normal ones. */
  private static int exponent(int magnitude) {
    return Math.max(magnitude >>> (SIGNIFICAND_BITS - 1), 1);
  }

  private static double plain(float[] readings, int from, int to) {
    double sum = 0.0;
    for (int i = from; i < to; i++) {
      sum += readings[i];
    }
    return sum;
  }

  /**
   * Cost: one integer addition a reading. A reading adds less than 2^31 to a limb, so a limb cannot
   * overflow.
   */
  private static double exact(float[] readings, int from, int to) {
    long[] limbs = new long[LIMBS];
    for (int i = from; i < to; i++) {
      int bits = Float.floatToRawIntBits(readings[i]);
      int magnitude = bits & MAGNITUDE;
      int shift = exponent(magnitude) - 1;
      long significand = magnitude & 0x7fffff;
      if (magnitude >= 0x800000) {
        significand |= 0x800000;
      }
      long value = significand << (shift & 7);
      limbs[shift >> LIMB_SHIFT] += bits < 0 ? -value : value;
    }
    BigInteger sum = BigInteger.ZERO;
    for (int limb = LIMBS - 1; limb >= 0; limb--) {
      sum = sum.shiftLeft(1 << LIMB_SHIFT).add(BigInteger.valueOf(limbs[limb]));
    }
    // doubleValue rounds half to even, once; a power of two then only moves the exponent.
    return Math.scalb(sum.doubleValue(), UNIT_EXPONENT);
  }
}
