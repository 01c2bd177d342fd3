package io.latecomer.flink;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.types.Row;

/**
 * Writes the values of records as lines of one local file, for bounded runs on one machine; its
 * parallelism is 1.
 *
 * <p>There is no state: a run that fails is started again from the beginning.
 */
public final class LineFileSink implements Sink<Row> {
  private static final long serialVersionUID = 1L;

  private final String path;

  public LineFileSink(String path) {
    this.path = path;
  }

  @Override
  public SinkWriter<Row> createWriter(WriterInitContext context) throws IOException {
    return new Writer(new BufferedOutputStream(Files.newOutputStream(Path.of(path))));
  }

  private static final class Writer implements SinkWriter<Row> {
    private final OutputStream output;

    Writer(OutputStream output) {
      this.output = output;
    }

    @Override
    public void write(Row row, Context context) throws IOException {
      output.write((byte[]) row.getField(1));
      output.write('\n');
    }

    @Override
    public void flush(boolean endOfInput) throws IOException {
      output.flush();
    }

    @Override
    public void close() throws IOException {
      output.close();
    }
  }
}
