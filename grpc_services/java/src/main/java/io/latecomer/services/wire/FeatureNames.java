package io.latecomer.services.wire;

import java.util.List;

/**
 * Finds the features of a model among those of a request: each exactly once. Others are ignored.
 */
public final class FeatureNames {
  private FeatureNames() {}

  /**
   * The position of each wanted name.
   *
   * @throws InvalidRequest if a wanted name is missing or repeated
   */
  public static int[] positions(List<String> names, List<String> wanted) {
    int[] positions = new int[wanted.size()];
    for (int i = 0; i < positions.length; i++) {
      String name = wanted.get(i);
      positions[i] = names.indexOf(name);
      if (positions[i] < 0) {
        throw new InvalidRequest(InvalidRequest.text("feature: %s is missing", name));
      }
      if (positions[i] != names.lastIndexOf(name)) {
        throw new InvalidRequest(InvalidRequest.text("feature: %s is repeated", name));
      }
    }
    return positions;
  }

  /**
   * The first wanted feature that is not finite, as the fault of {@code field}; null if all are
   * finite.
   */
  public static String fault(String field, float[] features, List<String> wanted) {
    for (int i = 0; i < features.length; i++) {
      if (!Float.isFinite(features[i])) {
        return field + ": " + wanted.get(i) + " is not finite";
      }
    }
    return null;
  }
}
