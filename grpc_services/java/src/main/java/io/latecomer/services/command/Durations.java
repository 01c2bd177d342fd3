package io.latecomer.services.command;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Durations as the command line writes them: {@code 10h}, {@code 5m}, {@code 30s}, {@code 250ms},
 * {@code 7d}, {@code 1h30m} or {@code 0}, as in Python.
 */
public final class Durations implements ITypeConverter<Duration> {
  /** Nine digits of any unit cannot overflow. */
  private static final Pattern FORM =
      Pattern.compile(
          "0|(?=.)(?:(?<d>\\d{1,9})d)?(?:(?<h>\\d{1,9})h)?(?:(?<m>\\d{1,9})m)?"
              + "(?:(?<s>\\d{1,9})s)?(?:(?<ms>\\d{1,9})ms)?");

  @Override
  public Duration convert(String text) {
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new TypeConversionException(
          "'" + text + "' is not a duration: write it like 10h, 5m, 30s, 250ms, or 0");
    }
    return Duration.ofDays(count(form, "d"))
        .plusHours(count(form, "h"))
        .plusMinutes(count(form, "m"))
        .plusSeconds(count(form, "s"))
        .plusMillis(count(form, "ms"));
  }

  private static long count(Matcher form, String unit) {
    String digits = form.group(unit);
    return digits == null ? 0 : Long.parseLong(digits);
  }
}
