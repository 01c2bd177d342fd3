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
   * @throws RequestError if a wanted name is missing or repeated
   */
  public static int[] positions(List<String> names, List<String> wanted) {
    return wanted.stream().mapToInt(name -> position(names, name)).toArray();
  }

  /**
   * The position of one wanted name.
   *
   * @throws RequestError if it is missing or repeated
   */
  public static int position(List<String> names, String wanted) {
    int position = names.indexOf(wanted);
    if (position < 0) {
      throw new RequestError("feature: " + wanted + " is missing");
    }
    if (position != names.lastIndexOf(wanted)) {
      throw new RequestError("feature: " + wanted + " is repeated");
    }
    return position;
  }
}
