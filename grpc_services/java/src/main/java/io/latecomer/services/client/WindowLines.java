package io.latecomer.services.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import com.google.gson.annotations.SerializedName;
import io.latecomer.services.Failure;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Windows as lines of JSON: {@code
 * {"device_id":"d1","times":[..],"sensor1":[..],"sensor2":[..],"sensor3":[..], "sensor4":[..]}}. A
 * reading is read as a double and rounded to float32, as the Python side does. Blank lines are
 * skipped.
 */
public final class WindowLines {
  private static final Gson JSON = new GsonBuilder().setStrictness(Strictness.STRICT).create();

  private final BufferedReader lines;
  private int number;

  public WindowLines(BufferedReader lines) {
    this.lines = lines;
  }

  @SuppressWarnings("ArrayRecordComponent") // read once, never compared
  private record Line(
      @SerializedName("device_id") String deviceId,
      long[] times,
      double[] sensor1,
      double[] sensor2,
      double[] sensor3,
      double[] sensor4) {}

  /**
   * The next windows: as many as fit one request, at least one unless the lines are at their end.
   *
   * @throws Failure if a line is not a window
   */
  public List<Window> next(int mostWindows, int mostEvents) throws IOException {
    List<Window> windows = new ArrayList<>();
    int events = 0;
    while (windows.size() < mostWindows && events < mostEvents) {
      String line = lines.readLine();
      if (line == null) {
        break;
      }
      number++;
      if (!line.isBlank()) {
        Window window = window(line);
        events += window.size();
        windows.add(window);
      }
    }
    return windows;
  }

  private Window window(String text) {
    Line line;
    try {
      line = JSON.fromJson(text, Line.class);
    } catch (JsonParseException | ArithmeticException error) {
      throw new Failure("line " + number + ": not a window: " + error.getMessage(), error);
    }
    if (line == null || line.deviceId == null || line.times == null) {
      throw new Failure("line " + number + ": not a window: device_id and times are needed");
    }
    double[][] columns = {line.sensor1, line.sensor2, line.sensor3, line.sensor4};
    float[][] sensors = new float[columns.length][];
    for (int i = 0; i < columns.length; i++) {
      sensors[i] = floats("sensor" + (i + 1), columns[i], line.times.length);
    }
    return new Window(line.deviceId, line.times, sensors);
  }

  private float[] floats(String name, double[] values, int count) {
    if (values == null || values.length != count) {
      int given = values == null ? 0 : values.length;
      throw new Failure(
          "line " + number + ": " + name + " has " + given + " readings, times has " + count);
    }
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }
}
