package io.latecomer.services.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.grpc.Status;
import io.latecomer.services.Printable;
import io.latecomer.services.rules.NumberText;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;

/** What came of one window: a prediction, or the refusal of one of the services. */
public sealed interface Answer {

  /** One line of JSON, without an end of line. */
  String json();

  /**
   * Features and prediction of one window.
   *
   * @param features float32 by name, in the order of the feature service
   */
  record Predicted(
      String deviceId, Map<String, Float> features, String modelId, Map<String, String> result)
      implements Answer {
    @Override
    public String json() {
      StringJoiner values = new StringJoiner(",", "{", "}");
      // A float32 is written as the double it equals: a reader of any language gets the same bits.
      features.forEach(
          (name, value) -> values.add(Text.of(name) + ":" + NumberText.shortest(value)));
      StringJoiner texts = new StringJoiner(",", "{", "}");
      new TreeMap<>(result).forEach((key, text) -> texts.add(Text.of(key) + ":" + Text.of(text)));
      return "{\"device_id\":"
          + Text.of(deviceId)
          + ",\"features\":"
          + values
          + ",\"model_id\":"
          + Text.of(modelId)
          + ",\"result\":"
          + texts
          + "}";
    }

    /** For a person to read. */
    public String plain() {
      StringJoiner lines = new StringJoiner("\n", "", "\n");
      lines.add(Printable.of("device " + deviceId));
      features.forEach((name, value) -> lines.add(Printable.of("  " + name + "  " + value)));
      lines.add(Printable.of("model " + modelId));
      new TreeMap<>(result)
          .forEach((key, text) -> lines.add(Printable.of("  " + key + "  " + text)));
      return lines.toString();
    }
  }

  /**
   * A service found the window or its features wrong.
   *
   * @param service features or inference
   */
  record Refused(String deviceId, Status.Code status, String service, String message)
      implements Answer {
    @Override
    public String json() {
      return "{\"device_id\":"
          + Text.of(deviceId)
          + ",\"status\":\""
          + status
          + "\",\"service\":\""
          + service
          + "\",\"message\":"
          + Text.of(message)
          + "}";
    }
  }

  /** Texts as JSON, without the escapes that only a web page needs. */
  final class Text {
    private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

    private Text() {}

    static String of(String text) {
      return JSON.toJson(text);
    }
  }
}
