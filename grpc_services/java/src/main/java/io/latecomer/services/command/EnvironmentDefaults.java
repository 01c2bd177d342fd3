package io.latecomer.services.command;

import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/**
 * Every option can also be set in the environment, under the names that the command line in Python
 * knows: LATECOMER_SERVE_DRAIN=10s, LATECOMER_ASK_TLS_CA=ca.pem. An option that is given wins.
 */
public final class EnvironmentDefaults implements IDefaultValueProvider {
  /** What the command line in Python has read before it became a Java server. */
  private static final Set<String> READ_BEFORE =
      Set.of("LATECOMER_SERVE_LANGUAGE", "LATECOMER_SERVE_CONFIG");

  private static final Set<String> PLUG_INS =
      Set.of("LATECOMER_SERVE_FEATURES_FROM", "LATECOMER_SERVE_MODEL");

  private final Map<String, String> environment;

  public EnvironmentDefaults(Map<String, String> environment) {
    this.environment = Map.copyOf(environment);
  }

  @Override
  public String defaultValue(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
      return null;
    }
    return environment.get(variable(option));
  }

  /**
   * Sees that no variable of the environment is meant as a setting and is none.
   *
   * @throws ParameterException if one is.
   */
  public void check(CommandSpec command) {
    Set<String> known = new HashSet<>(READ_BEFORE);
    for (OptionSpec option : command.options()) {
      if (!option.usageHelp() && !option.versionHelp()) {
        known.add(variable(option));
      }
    }
    for (String name : new TreeSet<>(environment.keySet())) {
      if (name.startsWith(prefix(command)) && !known.contains(name)) {
        String why =
            PLUG_INS.contains(name)
                ? " is for --language python: a Java service has its own"
                : " is not a setting";
        throw new ParameterException(command.commandLine(), name + why);
      }
    }
  }

  private static String variable(OptionSpec option) {
    String name = option.longestName().substring(2).replace('-', '_').toUpperCase(Locale.ROOT);
    return prefix(option.command()) + name;
  }

  private static String prefix(CommandSpec command) {
    return command.userObject() instanceof AskCommand ? "LATECOMER_ASK_" : "LATECOMER_SERVE_";
  }
}
