package io.latecomer.services.rules;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/**
 * Numbers as text, in the forms that the Python side writes.
 *
 * <p>Java's own forms differ: {@code %g} keeps trailing zeros and writes no power of ten below
 * 10^-4 as C does, and {@code Double.toString} of JDK 17 does not always find the shortest digits.
 */
public final class NumberText {
  private static final int GENERAL_DIGITS = 9;

  /** No double needs more than 17 digits to be told from its neighbours. */
  private static final int MAX_DIGITS = 17;

  private NumberText() {}

  /**
   * What C's {@code %.9g} prints: nine significant digits, half to even on the exact value, no
   * trailing zeros.
   *
   * @param value finite
   */
  public static String general(double value) {
    if (value == 0) {
      return sign(value) + "0";
    }
    BigDecimal rounded = digits(value, GENERAL_DIGITS);
    int exponent = exponent(rounded);
    if (exponent >= -4 && exponent < GENERAL_DIGITS) {
      return sign(value) + rounded.toPlainString();
    }
    String power =
        (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    return sign(value) + scientific(rounded) + "e" + power;
  }

  /**
   * The shortest decimal that reads back as the same double, in the form of the JSON encoder of the
   * Python side: {@code 0.00001}, {@code 1e-6}, {@code 100.0}, {@code 1e16}.
   *
   * @param value finite
   */
  public static String shortest(double value) {
    if (value == 0) {
      return sign(value) + "0.0";
    }
    BigDecimal shortest = shortestDigits(value);
    int exponent = exponent(shortest);
    if (exponent < -5 || exponent > 15) {
      return sign(value) + scientific(shortest) + "e" + exponent;
    }
    return sign(value) + shortest.toPlainString() + (shortest.scale() <= 0 ? ".0" : "");
  }

  private static BigDecimal shortestDigits(double value) {
    for (int count = 1; count < MAX_DIGITS; count++) {
      BigDecimal candidate = digits(value, count);
      if (candidate.doubleValue() == Math.abs(value)) {
        return candidate;
      }
    }
    return digits(value, MAX_DIGITS);
  }

  private static BigDecimal digits(double value, int count) {
    return new BigDecimal(Math.abs(value))
        .round(new MathContext(count, RoundingMode.HALF_EVEN))
        .stripTrailingZeros();
  }

  /** The power of ten of the first digit. */
  private static int exponent(BigDecimal value) {
    return value.precision() - value.scale() - 1;
  }

  private static String scientific(BigDecimal value) {
    String digits = value.unscaledValue().toString();
    return digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
  }

  private static String sign(double value) {
    return Double.doubleToRawLongBits(value) < 0 ? "-" : "";
  }
}
