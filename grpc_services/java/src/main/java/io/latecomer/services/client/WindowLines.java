package io.latecomer.services.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import io.latecomer.services.Failure;
import io.latecomer.services.rules.Sensors;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Windows as lines of JSON: {@code
 * {"device_id":"d1","times":[..],"sensor1":[..],"sensor2":[..],"sensor3":[..], "sensor4":[..]}}. A
 * reading is read as a double and rounded to float32, as the Python side does; {@code null} where
 * an optional one is absent. Blank lines are skipped.
 */
public final class WindowLines {
  private static final Gson JSON = new GsonBuilder().setStrictness(Strictness.STRICT).create();

  private final Sensors sensors;
  private final BufferedReader lines;
  private int number;

  public WindowLines(Sensors sensors, BufferedReader lines) {
    this.sensors = sensors;
    this.lines = lines;
  }

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
    try {
      JsonObject line = JSON.fromJson(text, JsonObject.class);
      String deviceId = line == null ? null : JSON.fromJson(line.get("device_id"), String.class);
      Long[] given = line == null ? null : JSON.fromJson(line.get("times"), Long[].class);
      if (deviceId == null || given == null || Arrays.asList(given).contains(null)) {
        throw new Failure("line " + number + ": not a window: device_id and times are needed");
      }
      long[] times = Arrays.stream(given).mapToLong(Long::longValue).toArray();
      float[][] readings = new float[sensors.width()][];
      for (int i = 0; i < readings.length; i++) {
        readings[i] = readings(line, i, times.length);
      }
      return new Window(deviceId, times, readings);
    } catch (JsonParseException | ArithmeticException error) {
      throw new Failure("line " + number + ": not a window: " + error.getMessage(), error);
    }
  }

  private float[] readings(JsonObject line, int sensor, int count) {
    String name = sensors.names().get(sensor);
    Double[] values = JSON.fromJson(line.get(name), Double[].class);
    if (values == null || values.length != count) {
      int given = values == null ? 0 : values.length;
      throw new Failure(
          "line " + number + ": " + name + " has " + given + " readings, times has " + count);
    }
    float[] readings = new float[count];
    for (int i = 0; i < count; i++) {
      if (values[i] == null && !sensors.optional()[sensor]) {
        throw new Failure("line " + number + ": " + name + " has no reading " + i);
      }
      readings[i] = values[i] == null ? Float.NaN : values[i].floatValue();
    }
    return readings;
  }
}
