package io.latecomer.services;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import picocli.CommandLine;

/** What a run of the command line leaves. */
record CommandRun(int status, String out, String err) {
  static CommandRun of(String... args) {
    return in(Map.of(), args);
  }

  static CommandRun in(Map<String, String> environment, String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine command =
        Main.commandLine(environment).setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int status = command.execute(args);
    command.getOut().flush();
    return new CommandRun(status, out.toString(), err.toString());
  }
}
