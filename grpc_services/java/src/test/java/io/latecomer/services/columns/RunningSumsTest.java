package io.latecomer.services.columns;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.latecomer.services.rules.ExactMean;
import java.math.BigDecimal;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** Sums over any range are those of ExactMean, which has its own oracle, bit for bit. */
final class RunningSumsTest {
  private static final boolean[] ONE_OPTIONAL = {false, true};
  private static final int OPTIONAL = 1;

  private final Random random = new Random(1_905);

  /** Adds readings to both sensors in chunks of random sizes, and compares random ranges. */
  private void assertExact(int capacity, int count, IntFunction<Float> reading) {
    RunningSums sums = new RunningSums(ONE_OPTIONAL, capacity);
    int rows = 0;
    while (rows < count) {
      int end = Math.min(rows + 1 + random.nextInt(20), count);
      for (int row = rows; row < end; row++) {
        sums.set(0, row, reading.apply(row));
        sums.set(OPTIONAL, row, random.nextInt(5) == 0 ? Float.NaN : reading.apply(row));
      }
      sums.added(rows, end);
      rows = end;
      for (int trial = 0; trial < 3; trial++) {
        assertRange(sums, random.nextInt(rows), rows);
        int start = random.nextInt(rows);
        assertRange(sums, start, start + 1 + random.nextInt(rows - start));
      }
    }
    assertRange(sums, 0, rows);
  }

  private static void assertRange(RunningSums sums, int start, int end) {
    float[] values = sums.values;
    assertSame(
        ExactMean.sum(values, sums.first(0) + start, sums.first(0) + end), sums.sum(0, start, end));
    assertEquals(end - start, sums.count(0, start, end));
    float[] there = new float[end - start];
    int count = 0;
    for (int row = start; row < end; row++) {
      float value = values[sums.first(OPTIONAL) + row];
      if (!Float.isNaN(value)) {
        there[count++] = value;
      }
    }
    assertEquals(count, sums.count(OPTIONAL, start, end));
    assertSame(ExactMean.sum(there, 0, count), sums.sum(OPTIONAL, start, end));
  }

  private static void assertSame(double expected, double sum) {
    assertEquals(expected + 0.0, sum + 0.0); // a zero has no sign once it is a mean
  }

  /** A random significand and sign. */
  private float significand() {
    float value = 1 + random.nextInt(1 << 23) * 0x1p-23f;
    return random.nextBoolean() ? value : -value;
  }

  @Test
  void readingsOfOneMagnitudeAreSummedExactly() {
    for (int trial = 0; trial < 100; trial++) {
      double scale = Math.pow(10, random.nextInt(60) - 30);
      assertExact(1_000, 300, row -> (float) (random.nextGaussian() * scale));
    }
  }

  @Test
  void readingsOverManyDecadesAreSummedExactly() {
    for (int trial = 0; trial < 300; trial++) {
      double decades = 1 + random.nextInt(70);
      DoubleUnaryOperator scale = at -> Math.pow(10, (at - 0.5) * decades);
      assertExact(
          400,
          1 + random.nextInt(400),
          row -> (float) (random.nextGaussian() * scale.applyAsDouble(random.nextDouble())));
    }
  }

  @Test
  void randomBitPatternsAreSummedExactly() {
    for (int trial = 0; trial < 500; trial++) {
      assertExact(
          150,
          1 + random.nextInt(150),
          row -> {
            float value = Float.intBitsToFloat(random.nextInt());
            return Float.isFinite(value) ? value : -0.0f;
          });
    }
  }

  @Test
  void subnormalReadingsAreSummedExactly() {
    for (int trial = 0; trial < 100; trial++) {
      int bits = 1 + random.nextInt(26);
      assertExact(
          100,
          100,
          row -> Float.intBitsToFloat(random.nextInt(1 << bits) | random.nextInt() << 31));
    }
  }

  @Test
  void theEdgesOfTheScaleCannotBeSeen() {
    for (int capacity : new int[] {1, 2, 3, 64, 65, 4_096, 1 << 18}) {
      for (int exponent = -140; exponent < 105; exponent += 7) {
        int first = exponent;
        assertExact(
            capacity,
            Math.min(capacity, 80),
            row -> Math.scalb(significand(), row == 0 ? first : first + random.nextInt(70) - 50));
      }
    }
  }

  @Test
  void theLargestReadingsOfAFullColumnDoNotOverflow() {
    for (float largest : new float[] {Float.MAX_VALUE, -Float.MAX_VALUE, 1, 0x1.fffffep127f}) {
      RunningSums sums = new RunningSums(new boolean[1], 1 << 16);
      for (int row = 0; row < 1 << 16; row++) {
        sums.set(0, row, row == 0 ? largest / 8 : largest);
        sums.added(row, row + 1);
      }
      assertEquals(65_535.0 * largest, sums.sum(0, 1, 1 << 16));
      assertEquals((double) largest, sums.sum(0, 9, 10));
    }
  }

  @Test
  void aRunningSumMayWrapAroundWhileItsDifferencesFit() {
    // 2^20 readings of 2^26 times the first one's unit: the sum of all is above 2^63 units.
    int room = 1 << 20;
    RunningSums sums = new RunningSums(new boolean[1], room);
    for (int row = 0; row < room; row++) {
      sums.set(0, row, row == 0 ? 0x1p-3f : 0x1.fffffep0f);
    }
    sums.added(0, 1);
    sums.added(1, room);
    assertEquals(0.125 + (room - 1) * (double) 0x1.fffffep0f, sums.sum(0, 0, room));
    assertEquals(1_000 * (double) 0x1.fffffep0f, sums.sum(0, room - 1_000, room));
  }

  @Test
  void aGlitchAtTheBeginningCostsNoExactness() {
    for (float glitch : new float[] {1e-40f, 1e38f, -3e-30f, 0}) {
      assertExact(500, 500, row -> row == 0 ? glitch : 20 + random.nextFloat());
    }
  }

  @Test
  void sumsThatCancelKeepTheirLastBits() {
    float[] readings = {Float.MAX_VALUE, Float.MIN_VALUE, -Float.MAX_VALUE, 1e30f, 1, -1e30f};
    assertExact(6, 6, row -> readings[row]);
    float[] halfWay = {0x1p53f, 1, 0x1p-149f, -0x1p-149f, 0x1p53f, 1};
    assertExact(6, 6, row -> halfWay[row]);
  }

  @Test
  void theFirstFaultyReadingIsFoundWhereverItIs() {
    RunningSums sums = new RunningSums(ONE_OPTIONAL, 300);
    for (int row = 0; row < 300; row++) {
      sums.set(0, row, row == 70 || row == 200 ? Float.NaN : 1);
      sums.set(OPTIONAL, row, row == 199 ? Float.NEGATIVE_INFINITY : Float.NaN);
      sums.added(row, row + 1);
    }
    assertEquals(70, sums.firstFaulty(0, 0, 300));
    assertEquals(70, sums.firstFaulty(0, 70, 71));
    assertEquals(200, sums.firstFaulty(0, 71, 300));
    assertEquals(-1, sums.firstFaulty(0, 71, 200));
    assertEquals(-1, sums.firstFaulty(0, 201, 300));
    assertEquals(199, sums.firstFaulty(OPTIONAL, 0, 300));
    assertEquals(0, sums.count(OPTIONAL, 0, 199));
  }

  @Test
  void theOracleIsExactItself() {
    float[] readings = new float[100];
    BigDecimal sum = BigDecimal.ZERO;
    for (int i = 0; i < readings.length; i++) {
      readings[i] = Math.scalb(significand(), random.nextInt(200) - 100);
      sum = sum.add(new BigDecimal((double) readings[i]));
    }
    assertEquals(sum.doubleValue(), ExactMean.sum(readings, 0, readings.length));
  }
}
