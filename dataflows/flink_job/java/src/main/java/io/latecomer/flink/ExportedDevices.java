package io.latecomer.flink;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The devices of a file of {@code latecomer state export}. {@code portable_file.py} has its layout,
 * and has checked the file before the job started.
 */
final class ExportedDevices {
  private static final int VERSION_END = 6; // magic and version

  private ExportedDevices() {}

  /** Takes devices. */
  interface Receiver {
    /** Takes the key of a device, and what Flink's state has of it. */
    void device(String device, byte[] state) throws Exception;
  }

  static void read(Path file, Receiver receiver) throws Exception {
    try (DataInputStream input =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
      input.skipNBytes(VERSION_END);
      input.skipNBytes(size(input)); // what the state belongs to
      for (int idSize = idSize(input); idSize != 0; idSize = idSize(input)) {
        String device = RecordFrame.keyText(bytes(input, idSize));
        receiver.device(device, bytes(input, size(input)));
      }
    }
  }

  private static int idSize(DataInputStream input) throws IOException {
    return Short.toUnsignedInt(Short.reverseBytes(input.readShort()));
  }

  private static int size(DataInputStream input) throws IOException {
    return Integer.reverseBytes(input.readInt());
  }

  private static byte[] bytes(DataInputStream input, int size) throws IOException {
    byte[] bytes = new byte[size];
    input.readFully(bytes);
    return bytes;
  }
}
