/** Settings of the method and of the work, which do not depend on the images: those of every run that does not say
 *  otherwise. The weights of the loss, the slices, the knots and the decay are the paper's. */
export const methodDefaults = {
  lambda: 0.05,
  combine: "convex",
  sigreg: "per-view",
  target: "all",
  slices: 256,
  integration: "trapezoid",
  points: 17,
  tMax: 3,
  rule: "half-range",
  warmupSteps: 50,
  finalFraction: 1e-3,
  weightDecay: 0.05,
  seed: 0,
  engine: "auto",
  processes: 1,
  workers: 1,
  checkpointEvery: 200,
  retraceEvery: 0,
  precision: "float32",
  probe: false,
} as const;
