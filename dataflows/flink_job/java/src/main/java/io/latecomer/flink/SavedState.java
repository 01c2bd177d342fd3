package io.latecomer.flink;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.io.SimpleVersionedSerialization;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Writes down what a checkpoint or savepoint of the job holds: a job whose operators stand in the
 * places of the source and of the devices, are restored as those would be, and read nothing.
 */
public final class SavedState {
  private SavedState() {}

  /**
   * Puts these operators into an environment whose configuration names what to restore.
   *
   * @param splits the file for the partitions: a line each
   * @param devices the file for the devices: for each the size of its id, the id, the size of its
   *     state, the state
   */
  public static void read(StreamExecutionEnvironment environment, String splits, String devices) {
    DataStream<String> start = environment.fromData("start");
    start
        .transform("splits", Types.STRING, new Splits(splits))
        .uid("log")
        .setParallelism(1)
        .disableChaining(); // its parallelism is bounded by the partitions
    start
        .keyBy(word -> word, Types.STRING)
        .transform("devices", Types.STRING, new Devices(devices))
        .uid("windows")
        .setParallelism(1);
  }

  private abstract static class Reader extends AbstractStreamOperator<String>
      implements OneInputStreamOperator<String, String>, BoundedOneInput {
    private static final long serialVersionUID = 1L;

    @Override
    public final void processElement(StreamRecord<String> element) {}
  }

  private static final class Splits extends Reader {
    private static final long serialVersionUID = 1L;

    private final String file;
    private transient ListState<byte[]> splits;

    Splits(String file) {
      this.file = file;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
      super.initializeState(context);
      splits = // as Flink's operator of a source has it
          context
              .getOperatorStateStore()
              .getListState(
                  new ListStateDescriptor<>(
                      "SourceReaderState", BytePrimitiveArraySerializer.INSTANCE));
    }

    @Override
    public void endInput() throws Exception {
      StringBuilder lines = new StringBuilder();
      for (byte[] split : splits.get()) {
        lines
            .append(
                SimpleVersionedSerialization.readVersionAndDeSerialize(
                    new SplitStates.Reader(), split))
            .append('\n');
      }
      Files.writeString(Path.of(file), lines);
    }
  }

  private static final class Devices extends Reader {
    private static final long serialVersionUID = 1L;

    private final String file;

    Devices(String file) {
      this.file = file;
    }

    @Override
    public void endInput() throws Exception {
      try (DataOutputStream output =
          new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(Path.of(file))))) {
        this.<String>getKeyedStateBackend()
            .applyToAllKeys(
                VoidNamespace.INSTANCE,
                VoidNamespaceSerializer.INSTANCE,
                DeviceOperator.STATE,
                (device, state) -> {
                  write(output, RecordFrame.keyBytes(device));
                  write(output, state.value());
                });
      }
    }

    private static void write(DataOutputStream output, byte[] bytes) throws IOException {
      output.writeInt(bytes.length);
      output.write(bytes);
    }
  }
}
