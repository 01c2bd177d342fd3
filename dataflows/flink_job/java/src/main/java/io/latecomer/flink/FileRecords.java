package io.latecomer.flink;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.reader.SimpleStreamFormat;
import org.apache.flink.connector.file.src.reader.StreamFormat;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.types.Row;

/** Records of a file of frames, each behind its size (4 bytes, big-endian). */
public final class FileRecords extends SimpleStreamFormat<Row> {
  private static final long serialVersionUID = 1L;

  @Override
  public StreamFormat.Reader<Row> createReader(Configuration config, FSDataInputStream stream) {
    return new Reader(new DataInputStream(new BufferedInputStream(stream)));
  }

  @Override
  public TypeInformation<Row> getProducedType() {
    return RecordFrame.type();
  }

  private static final class Reader implements StreamFormat.Reader<Row> {
    private final DataInputStream input;

    Reader(DataInputStream input) {
      this.input = input;
    }

    @Override
    public Row read() throws IOException {
      int first = input.read();
      if (first < 0) {
        return null;
      }
      int size = first << 24 | input.readUnsignedByte() << 16 | input.readUnsignedShort();
      byte[] frame = new byte[size];
      input.readFully(frame);
      return RecordFrame.row(frame);
    }

    @Override
    public void close() throws IOException {
      input.close();
    }
  }
}
