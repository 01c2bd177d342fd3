package io.latecomer.services.command;

import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Every option can also be set in the environment, under the names that the command line in Python
 * knows: LATECOMER_SERVE_DRAIN=10s, LATECOMER_ASK_TLS_CA=ca.pem. An option that is given wins.
 */
public final class EnvironmentDefaults implements IDefaultValueProvider {
  private final Map<String, String> environment;

  public EnvironmentDefaults(Map<String, String> environment) {
    this.environment = Map.copyOf(environment);
  }

  @Override
  public String defaultValue(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
      return null;
    }
    String command = argument.command().userObject() instanceof AskCommand ? "ASK" : "SERVE";
    String name = option.longestName().substring(2).replace('-', '_').toUpperCase(Locale.ROOT);
    return environment.get("LATECOMER_" + command + "_" + name);
  }
}
