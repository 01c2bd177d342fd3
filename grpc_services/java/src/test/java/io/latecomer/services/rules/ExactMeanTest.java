package io.latecomer.services.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

final class ExactMeanTest {
  private final Random random = new Random(20_200_426);

  /** A sum of BigDecimals made of doubles is exact, and doubleValue rounds it once. */
  private static float oracle(float[] readings) {
    BigDecimal sum = BigDecimal.ZERO;
    for (float reading : readings) {
      sum = sum.add(new BigDecimal((double) reading));
    }
    return (float) (sum.doubleValue() / readings.length) + 0.0f;
  }

  private static void assertExact(float[] readings) {
    float mean = ExactMean.of(readings, 0, readings.length);
    assertEquals(Float.floatToRawIntBits(oracle(readings)), Float.floatToRawIntBits(mean));
  }

  private float[] overDecades(int count, double decades) {
    float[] readings = new float[count];
    for (int i = 0; i < count; i++) {
      double scale = Math.pow(10, (random.nextDouble() - 0.5) * decades);
      readings[i] = (float) (random.nextGaussian() * scale);
    }
    return readings;
  }

  private float[] shuffled(float[] readings) {
    float[] copy = readings.clone();
    for (int i = copy.length - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      float kept = copy[i];
      copy[i] = copy[other];
      copy[other] = kept;
    }
    return copy;
  }

  @Test
  void meansOverManyDecadesAreExactlyRoundedInAnyOrder() {
    for (int trial = 0; trial < 2_000; trial++) {
      float[] readings = overDecades(1 + random.nextInt(300), 1 + random.nextInt(60));
      assertExact(readings);
      float[] other = shuffled(readings);
      assertEquals(
          ExactMean.of(readings, 0, readings.length), ExactMean.of(other, 0, other.length));
    }
  }

  @Test
  void meansOfRandomBitPatternsAreExactlyRounded() {
    for (int trial = 0; trial < 2_000; trial++) {
      float[] readings = new float[1 + random.nextInt(100)];
      for (int i = 0; i < readings.length; i++) {
        float reading = Float.intBitsToFloat(random.nextInt());
        readings[i] = Float.isFinite(reading) ? reading : 0.0f;
      }
      assertExact(readings);
    }
  }

  @Test
  void sumsThatCancelKeepTheirLastBits() {
    assertExact(new float[] {Float.MAX_VALUE, Float.MIN_VALUE, -Float.MAX_VALUE});
    assertExact(new float[] {1e30f, 1.0f, -1e30f, 1e-30f});
    assertExact(new float[] {16_777_216f, Float.MIN_VALUE, 1.0f, -16_777_216f});
  }

  @Test
  void sumsHalfWayBetweenTwoDoublesRoundToEven() {
    // 2^53 + 1 lies half way; one more unit far below decides.
    float big = 0x1p53f;
    assertExact(new float[] {big, 1.0f});
    assertExact(new float[] {big, 1.0f, 0x1p-149f});
    assertExact(new float[] {big, 1.0f, -0x1p-149f});
  }

  @Test
  void theEdgeBetweenTheFastAndTheExactWayCannotBeSeen() {
    for (int spread = 15; spread < 35; spread++) {
      for (int trial = 0; trial < 50; trial++) {
        float[] readings = new float[1 + random.nextInt(40)];
        for (int i = 0; i < readings.length; i++) {
          float significand = 1 + random.nextInt(1 << 23) * 0x1p-23f;
          readings[i] = Math.scalb(significand, random.nextInt(spread + 1));
        }
        assertExact(readings);
      }
    }
  }

  @Test
  void theLargestReadingsDoNotOverflow() {
    assertEquals(3e38f, ExactMean.of(new float[] {3e38f, 3e38f}, 0, 2));
    float[] largest = new float[1_000];
    Arrays.fill(largest, Float.MAX_VALUE);
    assertEquals(Float.MAX_VALUE, ExactMean.of(largest, 0, largest.length));
  }

  @Test
  void zeroIsAlwaysPositive() {
    float[][] zeros = {{-0.0f}, {-0.0f, 0.0f}, {1.5f, -1.5f}, {-Float.MIN_VALUE, 0, 0, 0}};
    for (float[] readings : zeros) {
      float mean = ExactMean.of(readings, 0, readings.length);
      assertEquals(0, Float.floatToRawIntBits(mean));
    }
  }

  @Test
  void aReadingThatIsNotFiniteGivesNaN() {
    float[] odd = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    for (float reading : odd) {
      assertTrue(Float.isNaN(ExactMean.of(new float[] {1, reading, 2}, 0, 3)));
    }
  }

  @Test
  void onlyTheRangeIsRead() {
    assertEquals(2.5f, ExactMean.of(new float[] {Float.NaN, 2, 3, Float.NaN}, 1, 3));
    assertThrows(IllegalArgumentException.class, () -> ExactMean.of(new float[] {1}, 1, 1));
  }

  @Test
  void aHundredThousandMixedReadingsTakeNoTime() {
    float[] readings = overDecades(100_000, 60);
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(5), () -> ExactMean.of(readings, 0, readings.length));
    assertExact(readings);
  }
}
