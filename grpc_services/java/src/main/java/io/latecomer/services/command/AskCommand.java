package io.latecomer.services.command;

import io.latecomer.services.Failure;
import io.latecomer.services.Printable;
import io.latecomer.services.SettingsError;
import io.latecomer.services.client.Addresses;
import io.latecomer.services.client.Answer;
import io.latecomer.services.client.Asking;
import io.latecomer.services.client.Channels;
import io.latecomer.services.client.Peer;
import io.latecomer.services.client.Window;
import io.latecomer.services.client.WindowLines;
import io.latecomer.services.rules.Sensors;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * Asks a feature service and an inference service, of any language, about the original demo's
 * window or about windows from a file. Exit status 1, with one line that has the gRPC status, when
 * a service does not answer.
 */
@Command(
    name = "ask",
    description = "Ask both services: features of a window, then a prediction.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class AskCommand implements Callable<Integer> {
  /** What one request holds at most; with 64 sensors, an event of a batch is 264 bytes. */
  private static final int WINDOWS_IN_REQUEST = 256;

  private static final int EVENTS_IN_REQUEST = 100_000;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "FEATURES",
      defaultValue = "localhost:10001",
      description = "host:port of the feature service, or several with commas (${DEFAULT-VALUE})")
  private String features;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "INFERENCE",
      defaultValue = "localhost:10011",
      description = "host:port of the inference service, or several (${DEFAULT-VALUE})")
  private String inference;

  @Option(
      names = "--rpc",
      paramLabel = "WAY",
      defaultValue = "unary",
      description = "${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
  private Asking.Rpc rpc;

  @Option(
      names = "--sensors",
      paramLabel = "NAME[?][,...]",
      description =
          "sensors of the windows of --input, as the feature service has them; one with a question "
              + "mark may be null. Default: those of the original demo")
  private String sensors;

  @Option(
      names = "--deadline",
      paramLabel = "TIME",
      defaultValue = "10s",
      description = "of each call; on a stream, of each answer (${DEFAULT-VALUE})")
  private Duration deadline;

  @Option(names = "--json", description = "one line of JSON, for a program")
  private boolean json;

  @Option(
      names = "--input",
      paramLabel = "FILE",
      description = "windows as lines of JSON, - is standard input; one line of JSON for each")
  private String input;

  @Mixin private ChannelOptions channel;

  @Spec private CommandSpec spec;

  /** What goes wrong is one line at the end; held here, since loggers are forgotten otherwise. */
  private static final Logger GRPC_LOG = Logger.getLogger("io.grpc");

  /** A server without health counts as healthy; a user need not hear of it. */
  private static final Logger HEALTH_LOG =
      Logger.getLogger("io.grpc.protobuf.services.HealthCheckingLoadBalancerFactory");

  @Override
  public Integer call() throws IOException {
    if (deadline.isZero()) {
      throw new ParameterException(spec.commandLine(), "--deadline must be above 0s");
    }
    Sensors asked = sensors();
    GRPC_LOG.setLevel(Level.SEVERE);
    HEALTH_LOG.setLevel(Level.OFF);
    try (Channels channels = channels();
        Peer engineer = new Peer("features", addresses(features), deadline, channels);
        Peer predictor = new Peer("inference", addresses(inference), deadline, channels);
        Asking asking = rpc.open(engineer, predictor, asked)) {
      if (input == null) {
        askAboutDemo(asking);
      } else {
        askAboutLines(asking, asked);
      }
    }
    return 0;
  }

  private Sensors sensors() {
    Sensors asked;
    try {
      asked = Sensors.parsed(sensors);
    } catch (SettingsError error) {
      throw wrongArgument(error.getMessage(), error);
    }
    if (!asked.areOfDemo() && input == null) {
      throw wrongArgument("sensors needs --input: the demo's window has its own", null);
    }
    if (!asked.areOfDemo() && rpc == Asking.Rpc.unary) {
      throw wrongArgument(
          "sensors needs --rpc batch or stream: the original demo's calls have its own", null);
    }
    return asked;
  }

  private ParameterException wrongArgument(String message, SettingsError cause) {
    return new ParameterException(spec.commandLine(), "--" + message, cause);
  }

  private Addresses addresses(String text) {
    try {
      return Addresses.parse(text);
    } catch (SettingsError error) {
      throw new ParameterException(spec.commandLine(), error.getMessage(), error);
    }
  }

  private Channels channels() {
    try {
      return new Channels(channel.settings());
    } catch (SettingsError error) {
      throw new ParameterException(spec.commandLine(), "--" + error.getMessage(), error);
    }
  }

  private void askAboutDemo(Asking asking) {
    PrintWriter out = spec.commandLine().getOut();
    Answer answer = asking.ask(List.of(Window.ofDemo())).get(0);
    if (answer instanceof Answer.Refused refused) {
      throw new Failure(
          refused.service()
              + " service: "
              + refused.status()
              + ": "
              + Printable.of(refused.message()));
    }
    if (json) {
      out.println(answer.json());
    } else if (answer instanceof Answer.Predicted predicted) {
      out.print(predicted.plain());
    }
    out.flush();
  }

  private void askAboutLines(Asking asking, Sensors asked) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    try (BufferedReader reader = reader()) {
      WindowLines lines = new WindowLines(asked, reader);
      List<Window> windows = lines.next(WINDOWS_IN_REQUEST, EVENTS_IN_REQUEST);
      while (!windows.isEmpty()) {
        asking.ask(windows).forEach(answer -> out.println(answer.json()));
        windows = lines.next(WINDOWS_IN_REQUEST, EVENTS_IN_REQUEST);
      }
    } finally {
      out.flush();
    }
  }

  private BufferedReader reader() {
    if (input.equals("-")) {
      return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    }
    try {
      return Files.newBufferedReader(Path.of(input));
    } catch (IOException error) {
      throw new Failure("cannot read " + input + ": " + error.getClass().getSimpleName(), error);
    }
  }
}
