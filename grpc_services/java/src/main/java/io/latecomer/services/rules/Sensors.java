package io.latecomer.services.rules;

import java.util.List;

/**
 * The four sensors of a device and the feature that each of them gives: the mean of its readings
 * over the window.
 */
public final class Sensors {
  /** The names of the columns, as in the messages; errors name them. */
  public static final List<String> COLUMNS = List.of("sensor1", "sensor2", "sensor3", "sensor4");

  /** The names of the features with their version, in the order of the columns. */
  public static final List<String> FEATURES =
      List.of("sensor_1/v1", "sensor_2/v1", "sensor_3/v1", "sensor_4/v1");

  private Sensors() {}

  /**
   * What is said of a window that holds a reading which is not finite.
   *
   * @param readings of the sensor; the window begins at {@code start}
   */
  public static String fault(int sensor, float[] readings, int start) {
    int event = 0;
    while (Float.isFinite(readings[start + event])) {
      event++;
    }
    return COLUMNS.get(sensor) + ": not finite in event " + event + " of the window";
  }
}
