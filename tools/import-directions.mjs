/** The name that each folder under packages/ is published under. */
export const packageNames = {
  tensor: "@lejepa/tensor",
  sigreg: "@lejepa/sigreg",
  ops: "@lejepa/ops",
  encoders: "@lejepa/encoders",
  data: "@lejepa/data",
  engine: "@lejepa/engine",
  eval: "@lejepa/eval",
  trainer: "@lejepa/trainer",
  cli: "lejepa",
};

/** Which packages the sources of each package may import: a user of one pays for these only.
 *  Read by the lint rule and by the test of the published dependencies. */
export const allowedImports = {
  tensor: [],
  sigreg: ["tensor"],
  ops: [],
  encoders: ["ops"],
  data: [],
  engine: ["ops"],
  eval: ["sigreg", "engine", "encoders", "data", "ops", "tensor"],
  trainer: ["tensor", "sigreg", "ops", "encoders", "data", "engine", "eval"],
  cli: ["tensor", "sigreg", "ops", "encoders", "data", "engine", "eval", "trainer"],
};

/** Frameworks, as regular expressions of module names. */
export const frameworks = ["@tensorflow/", "onnxruntime-", "@jax-js/"];

/** The packages whose sources import no framework, and the files in them that are adapters of one: only a user who
 *  imports such a file by its own entry pays for its framework. */
export const frameworkAdapters = {
  tensor: ["tfjs", "tfjs-gradients", "jax"],
  sigreg: [],
  data: [],
};
