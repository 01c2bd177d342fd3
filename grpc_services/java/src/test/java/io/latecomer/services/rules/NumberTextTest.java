package io.latecomer.services.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class NumberTextTest {
  /** The right column was printed by C's printf. */
  @ParameterizedTest
  @CsvSource({
    "0.5, 0.5",
    "1, 1",
    "-1, -1",
    "0, 0",
    "-0.0, -0",
    "100, 100",
    "0.0001, 0.0001",
    "0.00001, 1e-05",
    "0.00001234567895, 1.23456789e-05",
    "0.000099999999996, 0.0001",
    "0.00009999999994, 9.99999999e-05",
    "1.5e-7, 1.5e-07",
    "1e-100, 1e-100",
    "4.9e-324, 4.94065646e-324",
    "1.1125369292536007e-308, 1.11253693e-308",
    "0.5151277672955049, 0.515127767",
    "0.1234567885, 0.123456788",
    "0.1234567895, 0.123456789",
    "0.9999999996, 1",
    "0.9999999994, 0.999999999",
    "123456789, 123456789",
    "1234567890, 1.23456789e+09",
    "999999999.5, 1e+09",
    "1e22, 1e+22",
    "1.7976931348623157e308, 1.79769313e+308",
    "0.001953125, 0.001953125",
    "1.0009765625, 1.00097656",
  })
  void generalIsWhatCPrints(double value, String text) {
    assertEquals(text, NumberText.general(value));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0.0",
    "-0.0, -0.0",
    "1, 1.0",
    "100, 100.0",
    "0.00001, 0.00001",
    "0.000012, 0.000012",
    "0.000001, 1e-6",
    "1.5e-7, 1.5e-7",
    "1e15, 1000000000000000.0",
    "1e16, 1e16",
    "123456789012345680, 1.2345678901234568e17",
    "3.4028234663852886e38, 3.4028234663852886e38",
    "1.401298464324817e-45, 1.401298464324817e-45",
    "0.4817431271076202, 0.4817431271076202",
    "2e-44, 2e-44",
  })
  void shortestIsWhatThePythonSideWrites(double value, String text) {
    assertEquals(text, NumberText.shortest(value));
  }

  @Test
  void shortestReadsBackAsTheSameBits() {
    Random random = new Random(7);
    for (int trial = 0; trial < 20_000; trial++) {
      float value = Float.intBitsToFloat(random.nextInt());
      if (Float.isFinite(value)) {
        double read = Double.parseDouble(NumberText.shortest(value));
        assertEquals(Double.doubleToRawLongBits(value), Double.doubleToRawLongBits(read));
      }
    }
  }

  @Test
  void generalIsNeverFurtherOffThanHalfOfTheNinthDigit() {
    Random random = new Random(8);
    for (int trial = 0; trial < 20_000; trial++) {
      double value = random.nextDouble() * Math.pow(10, random.nextInt(40) - 20);
      double read = Double.parseDouble(NumberText.general(value));
      assertTrue(Math.abs(read - value) <= 0.50001e-8 * value, () -> "of " + value);
    }
  }
}
