package io.latecomer.services;

import io.latecomer.services.command.AskCommand;
import io.latecomer.services.command.Durations;
import io.latecomer.services.command.EnvironmentDefaults;
import io.latecomer.services.command.PrintableLines;
import io.latecomer.services.command.ServeCommand;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

/**
 * The command line of the jar. Exit status 0, 1 for a failure, 2 for a wrong argument, with one
 * line that says what.
 */
@Command(
    name = "latecomer-services",
    description = "The feature service, the inference service and their client.",
    mixinStandardHelpOptions = true,
    subcommands = {ServeCommand.Features.class, ServeCommand.Inference.class, AskCommand.class})
public final class Main implements Runnable {
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private Main() {}

  public static void main(String[] args) {
    PrintableLines.install();
    int status = run(args);
    if (status != 0) {
      System.exit(status);
    }
  }

  /** Runs one of the commands, gives its exit status, and does not end the machine. */
  public static int run(String... args) {
    return commandLine().execute(args);
  }

  /** For tests, which want the streams elsewhere. */
  static CommandLine commandLine() {
    return commandLine(System.getenv());
  }

  /** For tests, which want another environment, too. */
  static CommandLine commandLine(Map<String, String> environment) {
    EnvironmentDefaults defaults = new EnvironmentDefaults(environment);
    return new CommandLine(new Main())
        .registerConverter(Duration.class, new Durations())
        .setDefaultValueProvider(defaults)
        .setExecutionStrategy(result -> checked(result, defaults))
        .setParameterExceptionHandler(Main::wrongArgument)
        .setExecutionExceptionHandler(Main::failure);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "which one: features, inference or ask?");
  }

  private static int checked(CommandLine.ParseResult result, EnvironmentDefaults defaults) {
    CommandLine.ParseResult command = result.hasSubcommand() ? result.subcommand() : result;
    if (!result.isUsageHelpRequested() && !command.isUsageHelpRequested()) {
      defaults.check(command.commandSpec());
    }
    return new CommandLine.RunLast().execute(result);
  }

  private static int wrongArgument(ParameterException error, String[] args) {
    CommandLine command = error.getCommandLine();
    line(command.getErr(), command.getCommandSpec().qualifiedName() + ": " + error.getMessage());
    return CommandLine.ExitCode.USAGE;
  }

  private static int failure(Exception error, CommandLine command, CommandLine.ParseResult result)
      throws Exception {
    if (!(error instanceof Failure)) {
      throw error; // a defect: picocli prints its trace
    }
    line(command.getErr(), error.getMessage());
    return CommandLine.ExitCode.SOFTWARE;
  }

  private static void line(PrintWriter out, String text) {
    out.println(Printable.of(text.replaceAll("\\s+", " ")));
    out.flush();
  }
}
