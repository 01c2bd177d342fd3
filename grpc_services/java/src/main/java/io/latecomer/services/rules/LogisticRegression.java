package io.latecomer.services.rules;

import java.util.List;

/**
 * The model {@code log_reg_model/v1}: logistic regression over the features of the original demo's
 * sensors.
 *
 * <p>The score is added in double from the intercept, left to right, without fused operations: Java
 * does so by itself, and {@code Math.fma} or a stream's compensated sum would change bits.
 */
public final class LogisticRegression {
  /**
   * Version 1 is the Java one; Python answers the same model as version 2, as the original demo
   * did.
   */
  public static final String ID = "log_reg_model/v1";

  /** The only key of a result. */
  public static final String RESULT = "logistic_regression_result";

  /** The features the model reads, in the order of its weights. */
  public static final List<String> FEATURES = Sensors.DEMO.features();

  /** Intercept and weights of the original demo. */
  private static final double INTERCEPT = 0.006;

  private static final double[] WEIGHTS = {0.03, 0.05, 0.01, 0.02};

  private LogisticRegression() {}

  /**
   * The probability for one device.
   *
   * @param features finite, in the order of {@link #FEATURES}
   * @return between 0 and 1, both included
   */
  public static double probability(float[] features) {
    double score = INTERCEPT;
    for (int i = 0; i < WEIGHTS.length; i++) {
      score += WEIGHTS[i] * features[i];
    }
    return logistic(score);
  }

  /** Two-sided, so that the exponential never overflows. */
  static double logistic(double score) {
    if (score >= 0) {
      return 1 / (1 + Math.exp(-score));
    }
    double exp = Math.exp(score);
    return exp / (1 + exp);
  }
}
