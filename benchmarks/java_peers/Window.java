import java.util.Arrays;

/**
 * The window of one device in order of arrival, as columns: no rule but that the newest event
 * evicts.
 */
public class Window {
  public static final int SENSORS = 4;

  public long[] times = new long[64];
  public float[] readings = new float[64 * SENSORS];
  public int start;
  public int end;

  public void add(Event event, long intervalMs) {
    if (end == times.length) {
      makeRoom();
    }
    times[end] = event.time;
    int first = end * SENSORS;
    readings[first] = event.sensor1;
    readings[first + 1] = event.sensor2;
    readings[first + 2] = event.sensor3;
    readings[first + 3] = event.sensor4;
    end++;
    while (times[start] < event.time - intervalMs) {
      start++;
    }
  }

  public int size() {
    return end - start;
  }

  private void makeRoom() {
    int capacity = Math.max(64, 2 * size());
    times = Arrays.copyOf(Arrays.copyOfRange(times, start, end), capacity);
    readings =
        Arrays.copyOf(
            Arrays.copyOfRange(readings, start * SENSORS, end * SENSORS), capacity * SENSORS);
    end -= start;
    start = 0;
  }
}
