package io.latecomer.services.client;

import java.util.Random;

/**
 * The window of one device.
 *
 * @param times ms since the Unix epoch, UTC
 * @param sensors a column of readings for each sensor, each as long as the times, in its own unit;
 *     NaN where one is absent
 */
@SuppressWarnings(
    "ArrayRecordComponent") // never compared, and 100,000 events are no list of objects
public record Window(String deviceId, long[] times, float[][] sensors) {
  private static final String DEVICE = "device_123";
  private static final int EVENTS = 300;
  private static final long FIRST_MS = 1_587_920_555_000L;
  private static final long STEP_MS = 120_000;
  private static final int SENSORS = 4;

  /**
   * What the original demo's client asks about: 300 events two minutes apart, from a generator with
   * a fixed seed.
   */
  public static Window ofDemo() {
    Random random = new Random(1);
    long[] times = new long[EVENTS];
    float[][] sensors = new float[SENSORS][EVENTS];
    for (int i = 0; i < EVENTS; i++) {
      times[i] = FIRST_MS + i * STEP_MS;
      for (float[] sensor : sensors) {
        sensor[i] = random.nextFloat();
      }
    }
    return new Window(DEVICE, times, sensors);
  }

  public int size() {
    return times.length;
  }
}
