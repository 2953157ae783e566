/** Limited-memory BFGS: minimises a smooth function of many variables from its value and gradient.
 *    x <- x + a p,   p = -H g,   H from the last m pairs (s, y) by the two-loop recursion
 *  Source: Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5.
 *  Line search: bisection on the two Wolfe conditions, with secant steps inside the bracket. The decrease
 *  condition is loosened by the rounding of the value, because an objective evaluated in float32 cannot
 *  show decreases below it while its gradient still can. */

/** The value of a function at x, and its gradient there. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** What a minimisation ended with. */
export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  /** Largest magnitude among the entries of the gradient at `x`. */
  readonly gradientNorm: number;
  readonly iterations: number;
  readonly evaluations: number;
  /** Whether `gradientNorm` came down to the tolerance. */
  readonly converged: boolean;
}

export interface MinimiseOptions {
  /** Ends when no entry of the gradient is larger in magnitude. */
  readonly gradientTolerance: number;
  readonly maxIterations: number;
  /** Pairs kept for the inverse Hessian. */
  readonly memory?: number;
  /** Relative rounding error of the objective's value: 1e-7 where it is computed in float32, 1e-15 in float64. */
  readonly valueRounding: number;
}

interface Point extends Evaluation {
  readonly x: Float64Array;
}

/** Minimises `objective` from `start`, which is left as it is. */
export async function minimise(
  objective: (x: Float64Array) => Evaluation | Promise<Evaluation>,
  start: Float64Array,
  { gradientTolerance, maxIterations, memory = 20, valueRounding }: MinimiseOptions,
): Promise<Minimum> {
  let evaluations = 0;
  const evaluate = async (x: Float64Array): Promise<Point> => {
    evaluations++;
    return { x, ...(await objective(x)) };
  };
  const pairs: CurvaturePair[] = [];
  let point = await evaluate(Float64Array.from(start));
  let iterations = 0;
  while (iterations < maxIterations && !(largest(point.gradient) <= gradientTolerance)) {
    let direction = descent(point.gradient, pairs);
    if (!(dot(direction, point.gradient) < 0)) {
      // Rounding spoilt the pairs: start again from steepest descent.
      pairs.length = 0;
      direction = descent(point.gradient, pairs);
    }
    // Without curvature yet, a step of length 1 is the only scale at hand.
    const firstStep =
      pairs.length > 0 ? 1 : Math.min(1, 1 / Math.sqrt(-dot(direction, point.gradient)));
    const next = await lineSearch(evaluate, point, direction, firstStep, valueRounding);
    if (next === undefined) {
      if (pairs.length === 0) break;
      pairs.length = 0;
      continue;
    }
    iterations++;
    remember(pairs, memory, point, next);
    point = next;
  }
  const gradientNorm = largest(point.gradient);
  return {
    x: point.x,
    value: point.value,
    gradientNorm,
    iterations,
    evaluations,
    converged: gradientNorm <= gradientTolerance,
  };
}

const sufficientDecrease = 1e-4;
const curvature = 0.9;
const maxTrials = 30;

/** A point along `direction` where the value has gone down and the slope has flattened, or undefined when
 *  rounding leaves none to be found. */
async function lineSearch(
  evaluate: (x: Float64Array) => Promise<Point>,
  from: Point,
  direction: Float64Array,
  firstStep: number,
  valueRounding: number,
): Promise<Point | undefined> {
  const slope = dot(direction, from.gradient);
  const slack = valueRounding * Math.abs(from.value);
  let low = { step: 0, slope };
  let high: { step: number; slope: number } | undefined;
  let step = firstStep;
  for (let trial = 0; trial < maxTrials; trial++) {
    const point = await evaluate(from.x.map((value, i) => value + step * direction[i]!));
    const here = { step, slope: dot(direction, point.gradient) };
    const lowEnough = point.value <= from.value + sufficientDecrease * step * slope + slack;
    // A NaN fails `lowEnough`, so a step too far is shortened.
    if (!lowEnough || here.slope > -curvature * slope) high = here;
    else if (here.slope < curvature * slope) low = here;
    else return point;
    step = high === undefined ? 2 * low.step : within(low, high);
  }
  return undefined;
}

/** Where the slope would be zero if it were linear between the two steps, kept off both ends. */
function within(
  low: { step: number; slope: number },
  high: { step: number; slope: number },
): number {
  const width = high.step - low.step;
  const secant = low.slope / (low.slope - high.slope);
  const share = secant > 0 && secant < 1 ? Math.min(0.9, Math.max(0.1, secant)) : 0.5;
  return low.step + share * width;
}

interface CurvaturePair {
  /** Change of x. */
  readonly s: Float64Array;
  /** Change of the gradient. */
  readonly y: Float64Array;
  readonly sy: number;
}

function remember(pairs: CurvaturePair[], memory: number, before: Point, after: Point): void {
  const s = after.x.map((value, i) => value - before.x[i]!);
  const y = after.gradient.map((value, i) => value - before.gradient[i]!);
  const sy = dot(s, y);
  // Only positive curvature keeps H positive definite.
  if (!(sy > 1e-12 * dot(y, y))) return;
  pairs.push({ s, y, sy });
  if (pairs.length > memory) pairs.shift();
}

/** -H g by the two-loop recursion. */
function descent(gradient: Float64Array, pairs: readonly CurvaturePair[]): Float64Array {
  const q = gradient.map((value) => -value);
  const weights: number[] = [];
  for (const { s, y, sy } of pairs.toReversed()) {
    const weight = dot(s, q) / sy;
    weights.push(weight);
    addScaled(q, -weight, y);
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = last.sy / dot(last.y, last.y);
    for (let i = 0; i < q.length; i++) q[i]! *= scale;
  }
  for (const { s, y, sy } of pairs) addScaled(q, weights.pop()! - dot(y, q) / sy, s);
  return q;
}

function addScaled(to: Float64Array, scale: number, from: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i]! += scale * from[i]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** NaN when an entry is NaN. */
function largest(values: Float64Array): number {
  let norm = 0;
  for (const value of values) norm = Math.max(norm, Math.abs(value));
  return norm;
}
