package io.latecomer.services.columns;

import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.services.wire.WindowRequest;
import java.util.HashMap;
import java.util.Map;

/**
 * The columns of a call, which end with it: each has memory for the rows that the request brings.
 * The request bounds these, but for those that columns are derived from.
 */
final class HoldingOfCall implements Holding {
  /** Those of one full column of four sensors. The Python servers have the same. */
  private static final long MOST_DERIVED = 1 << 24;

  private final boolean[] optional;
  private final Map<Long, Long> appended = new HashMap<>();
  private long derived;

  HoldingOfCall(Sensors sensors, WindowRequest request) {
    optional = sensors.optional();
    for (int i = 0; i < request.appendedNumbers().length; i++) {
      appended.put(request.appendedNumbers()[i], request.appendedCounts()[i]);
    }
  }

  @Override
  public Readings take(int number, int begins, int room) {
    derived += (long) begins * optional.length;
    if (derived > MOST_DERIVED) {
      throw RequestError.of(
          "derived: the columns begin with %d readings in all, those of a request may begin"
              + " with %d",
          derived, MOST_DERIVED);
    }
    long rows = Math.min(begins + appended.getOrDefault((long) number, 0L), room);
    return new PlainReadings(optional, (int) rows);
  }

  @Override
  public void free(int room) {}

  @Override
  public void close() {}
}
