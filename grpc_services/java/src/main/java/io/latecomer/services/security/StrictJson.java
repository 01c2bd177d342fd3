package io.latecomer.services.security;

import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON as two readers cannot read it differently: UTF-8, no name twice in an object, no
 * {@code NaN}, nothing behind the end.
 *
 * <p>An object is a map, an array a list, a number a double, and {@code null} is {@link #NULL}.
 */
public final class StrictJson {
  /** A value that is there and null. */
  public static final Object NULL = new Object();

  private static final int MOST_DEPTH = 32;

  private static final String BYTE_ORDER_MARK = "\uFEFF";

  private StrictJson() {}

  /**
   * An object.
   *
   * @throws JsonParseException if the bytes are none
   */
  public static Map<String, Object> object(byte[] bytes) {
    try {
      // A new decoder refuses what is no UTF-8; a string would replace it.
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      if (text.startsWith(BYTE_ORDER_MARK)) {
        throw new JsonParseException("a byte order mark"); // the reader would skip it
      }
      JsonReader reader = new JsonReader(new StringReader(text));
      reader.setStrictness(Strictness.STRICT);
      reader.setNestingLimit(MOST_DEPTH);
      Map<String, Object> found = object(reader);
      if (reader.peek() != JsonToken.END_DOCUMENT) {
        throw new JsonParseException("more than one value");
      }
      return found;
    } catch (CharacterCodingException | MalformedJsonException | EOFException error) {
      throw new JsonParseException("no JSON", error);
    } catch (IOException | IllegalStateException | NumberFormatException error) {
      throw new JsonParseException("not as expected", error);
    }
  }

  private static Map<String, Object> object(JsonReader reader) throws IOException {
    Map<String, Object> found = new LinkedHashMap<>();
    reader.beginObject();
    while (reader.hasNext()) {
      if (found.put(reader.nextName(), value(reader)) != null) {
        throw new JsonParseException("a name is there twice");
      }
    }
    reader.endObject();
    return found;
  }

  private static Object value(JsonReader reader) throws IOException {
    return switch (reader.peek()) {
      case BEGIN_OBJECT -> object(reader);
      case BEGIN_ARRAY -> list(reader);
      case STRING -> reader.nextString();
      case NUMBER -> Double.parseDouble(reader.nextString());
      case BOOLEAN -> reader.nextBoolean();
      case NULL -> {
        reader.nextNull();
        yield NULL;
      }
      default -> throw new JsonParseException("no value");
    };
  }

  private static List<Object> list(JsonReader reader) throws IOException {
    List<Object> found = new ArrayList<>();
    reader.beginArray();
    while (reader.hasNext()) {
      found.add(value(reader));
    }
    reader.endArray();
    return found;
  }
}
