/** Random numbers of tfjs-core, which become constants of a captured step: those drawn with a seed unnoticed, since they
 *  are the same each time that the step is traced. */
import * as tf from "@tensorflow/tfjs-core";

/** The functions of tfjs-core that draw numbers without a kernel. */
const draws = new Set([
  ...["rand", "randomGamma", "randomNormal", "randomStandardNormal", "randomUniform"],
  ...["randomUniformInt", "truncatedNormal"],
]);

/** Calls `refuse` with the name of a function that draws random numbers, such as "tf.randomNormal", where `body` calls
 *  one. */
export function withoutDraws<R>(refuse: (draw: string) => never, body: () => R): R {
  // Each function of tfjs-core opens a scope of its name, followed by "__op".
  const engine = tf.engine() as { startScope: (name?: string) => void };
  const outer = Object.hasOwn(engine, "startScope") ? engine.startScope : undefined;
  const startScope = engine.startScope.bind(engine);
  engine.startScope = (name) => {
    const called = name?.endsWith("__op") === true ? name.slice(0, -"__op".length) : "";
    if (draws.has(called)) refuse(`tf.${called}`);
    startScope(name);
  };
  try {
    return body();
  } finally {
    if (outer) engine.startScope = outer;
    // The method of the class shows again.
    else delete (engine as Partial<typeof engine>).startScope;
  }
}
