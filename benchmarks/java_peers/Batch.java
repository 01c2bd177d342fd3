import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Windows that are asked about together; those of a device share its rows. */
final class Batch {
  private static final List<String> SENSORS = List.of("sensor1", "sensor2", "sensor3", "sensor4");

  private final List<String> deviceIds = new ArrayList<>();
  private final Map<String, Rows> columns = new HashMap<>();
  private final List<Rows> order = new ArrayList<>();
  private int[] numbers = new int[256];
  private int[] starts = new int[256];
  private int[] ends = new int[256];

  /** Takes the window as it is after its newest event. */
  void add(String deviceId, Window window) {
    Rows rows = columns.get(deviceId);
    if (rows == null) {
      rows = new Rows(order.size(), deviceId, window);
      columns.put(deviceId, rows);
      order.add(rows);
    } else {
      rows.append(window);
    }
    int row = deviceIds.size();
    if (row == numbers.length) {
      numbers = Arrays.copyOf(numbers, 2 * row);
      starts = Arrays.copyOf(starts, 2 * row);
      ends = Arrays.copyOf(ends, 2 * row);
    }
    deviceIds.add(deviceId);
    numbers[row] = rows.number;
    starts[row] = rows.count - window.size();
    ends[row] = rows.count;
  }

  int size() {
    return deviceIds.size();
  }

  /** What is asked, and what the answer is completed with: arrays, which Flink copies fast. */
  public static class Asked {
    public String[] deviceIds;
    public int[] events;
    public byte[] message;
  }

  Asked asked() {
    Asked asked = new Asked();
    asked.deviceIds = deviceIds.toArray(String[]::new);
    asked.events = new int[size()];
    Arrays.setAll(asked.events, row -> ends[row] - starts[row]);
    asked.message = message().toByteArray();
    return asked;
  }

  private WindowBatch message() {
    int rows = order.stream().mapToInt(one -> one.count).sum();
    ByteBuffer times = buffer(8 * rows);
    ByteBuffer readings = buffer(4 * Window.SENSORS * rows);
    ByteBuffer counts = buffer(4 * order.size());
    ByteBuffer ordinals = buffer(4 * order.size());
    WindowBatch.Builder message = WindowBatch.newBuilder().addAllSensor(SENSORS);
    for (Rows one : order) {
      message.addDeviceId(one.deviceId);
      ordinals.putInt(one.number);
      counts.putInt(one.count);
      times.asLongBuffer().put(one.times, 0, one.count);
      times.position(times.position() + 8 * one.count);
      readings.asFloatBuffer().put(one.readings, 0, Window.SENSORS * one.count);
      readings.position(readings.position() + 4 * Window.SENSORS * one.count);
    }
    return message
        .setNumber(bytes(ordinals))
        .setRoom(bytes(counts))
        .setAppendedNumber(bytes(ordinals))
        .setAppendedCount(bytes(counts))
        .setTimes(bytes(times))
        .setReadings(bytes(readings))
        .setWindowNumber(bytes(numbers))
        .setStarts(bytes(starts))
        .setEnds(bytes(ends))
        .build();
  }

  private ByteString bytes(int[] values) {
    ByteBuffer buffer = buffer(4 * size());
    buffer.asIntBuffer().put(values, 0, size());
    return UnsafeByteOperations.unsafeWrap(buffer.array());
  }

  private static ByteString bytes(ByteBuffer buffer) {
    return UnsafeByteOperations.unsafeWrap(buffer.array());
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The rows of a device: those of its first window, and each newest event after it. */
  private static final class Rows {
    final int number;
    final String deviceId;
    long[] times;
    float[] readings;
    int count;

    Rows(int number, String deviceId, Window window) {
      this.number = number;
      this.deviceId = deviceId;
      count = window.size();
      times = Arrays.copyOfRange(window.times, window.start, window.end + 16);
      readings =
          Arrays.copyOfRange(
              window.readings, Window.SENSORS * window.start, Window.SENSORS * (window.end + 16));
    }

    void append(Window window) {
      if (count == times.length) {
        times = Arrays.copyOf(times, count + count / 2);
        readings = Arrays.copyOf(readings, Window.SENSORS * times.length);
      }
      int newest = window.end - 1;
      times[count] = window.times[newest];
      System.arraycopy(
          window.readings,
          Window.SENSORS * newest,
          readings,
          Window.SENSORS * count,
          Window.SENSORS);
      count++;
    }
  }
}
