import { expect, test } from "vitest";
import type { GradientRule, TensorAdapter } from "@lejepa/tensor";
import { runConformance, type ConformanceCase } from "@lejepa/tensor/conformance";
import { LejepaError } from "@lejepa/tensor/error";
import type { Float64Tensor } from "@lejepa/tensor/float64";
import { conformanceCases, sweepCases } from "../src/conformance/cases.js";
import { isTensor, loneAdapter, strict, tensorsIn } from "./whole-adapter.js";

type Adapter = TensorAdapter<Float64Tensor>;
type Call = (...args: unknown[]) => Float64Tensor;

/** The functions that give a tensor for tensors. */
const methods = [
  ...["add", "sub", "mul", "div", "maximum", "minimum", "greaterEqual", "where"],
  ...["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh"],
  ...["sum", "mean", "max", "min", "matMul", "reshape", "transpose", "slice", "concat", "gather"],
  ...["sort", "allReduceMean", "characteristicMeans"],
] as const;
type Method = (typeof methods)[number];

/** The arguments with other tensors in their places. */
function withTensors(args: readonly unknown[], tensors: readonly Float64Tensor[]): unknown[] {
  let next = 0;
  const other = (arg: unknown): unknown => (isTensor(arg) ? tensors[next++] : arg);
  return args.map((arg) => (Array.isArray(arg) ? arg.map(other) : other(arg)));
}

/** The arguments with lists of their own. */
const copied = (args: readonly unknown[]): unknown[] =>
  args.map((arg) =>
    Array.isArray(arg) ? [...(arg as unknown[])] : arg instanceof Int32Array ? arg.slice() : arg,
  );

const of = (k: Adapter, name: Method): Call =>
  (k as unknown as Readonly<Record<Method, Call>>)[name];

/** The function with the gradient that it has when another one comes from above, or with other gradients than it has. */
function withGradient(
  k: Adapter,
  name: Method,
  upstream: (dy: Float64Tensor, inputs: readonly Float64Tensor[]) => Float64Tensor,
  after: (gradient: Float64Tensor, i: number) => Float64Tensor = (gradient) => gradient,
  lists: (args: readonly unknown[]) => readonly unknown[] = copied,
): Call {
  const f = of(k, name);
  return (...given) => {
    const args = lists(given);
    return k.customGradient(
      {
        forward: (inputs) => ({ value: f(...withTensors(given, inputs)), saved: inputs }),
        backward: (dy, inputs) =>
          k
            .valueAndGrad(
              (...xs) => k.sum(k.mul(f(...withTensors(args, xs)), upstream(dy, inputs))),
              inputs,
            )
            .grads.map(after),
      },
      tensorsIn(given),
    );
  };
}

const changed = (x: Float64Tensor, f: (value: number, i: number) => number): Float64Tensor => ({
  shape: x.shape,
  data: x.data.map(f),
});
const doubled = (x: Float64Tensor) => changed(x, (value) => 2 * value);
/** The result of a function, changed; its gradient stays. */
function withValue(
  k: Adapter,
  name: Method,
  f: (result: Float64Tensor, args: readonly unknown[]) => Float64Tensor,
): Call {
  return (...args) => {
    const result = of(k, name)(...args);
    const other = f(result, args);
    if (other.shape.join() !== result.shape.join()) return other;
    result.data.set(other.data);
    return result;
  };
}

const rankOf = (args: readonly unknown[]) =>
  Math.max(...tensorsIn(args).map(({ shape }) => shape.length));
const isList = (arg: unknown): arg is number[] =>
  Array.isArray(arg) && arg.every((n) => typeof n === "number");

/** A way to break any function: the broken function, or nothing for one that cannot be broken so. */
interface Kind {
  readonly name: string;
  readonly of: (k: Adapter, method: Method) => Call | undefined;
  /** The functions that this leaves as they are, so that nothing is there to be noticed. */
  readonly harmless?: readonly Method[];
}

const operandsOf = (name: Method): number =>
  name === "where"
    ? 3
    : [
          "add",
          "sub",
          "mul",
          "div",
          "maximum",
          "minimum",
          "greaterEqual",
          "matMul",
          "concat",
        ].includes(name)
      ? 2
      : 1;
const reductions: readonly Method[] = ["sum", "mean", "max", "min"];
/** Which argument names axes. */
const axisArgument: Partial<Record<Method, number>> = {
  ...{ sum: 1, mean: 1, max: 1, min: 1, concat: 1, gather: 2, sort: 1, transpose: 1 },
};
/** Functions of an axis, by what they get for it. */
const withAxes =
  (change: (axis: number, rank: number) => number) =>
  (k: Adapter, name: Method): Call | undefined => {
    const at = axisArgument[name];
    if (at === undefined) return undefined;
    return (...args) => {
      const rank = rankOf(args);
      const axes = args[at];
      const other = isList(axes)
        ? axes.map((axis) => change(axis, rank))
        : typeof axes === "number"
          ? change(axes, rank)
          : axes;
      return of(k, name)(...args.map((arg, i) => (i === at ? other : arg)));
    };
  };

/** Values of its result that are no ordinary numbers. */
const special = (test: (value: number) => boolean, instead: number) => (k: Adapter, name: Method) =>
  withValue(k, name, (result) => changed(result, (value) => (test(value) ? instead : value)));

/** Functions whose result is finite and not NaN wherever the suite may ask. */
const alwaysFinite: readonly Method[] = ["greaterEqual"];
const noGradient: readonly Method[] = ["greaterEqual"];

const kinds: readonly Kind[] = [
  {
    name: "takes the gradient from above for 1",
    of: (k, m) => withGradient(k, m, (dy) => changed(dy, () => 1)),
    harmless: noGradient,
  },
  {
    name: "takes the gradient from above for its mean",
    of: (k, m) =>
      withGradient(k, m, (dy) => {
        const mean = dy.data.reduce((a, b) => a + b, 0) / dy.data.length;
        return changed(dy, () => mean);
      }),
    harmless: noGradient,
  },
  {
    name: "takes the first entry of the gradient from above for all",
    of: (k, m) => withGradient(k, m, (dy) => changed(dy, () => dy.data[0]!)),
    harmless: noGradient,
  },
  {
    name: "loses the sign of the gradient from above",
    of: (k, m) => withGradient(k, m, (dy) => changed(dy, Math.abs)),
    harmless: noGradient,
  },
  {
    name: "reads the gradient from above backwards",
    of: (k, m) => withGradient(k, m, (dy) => changed(dy, (_, i) => dy.data.at(-1 - i)!)),
    harmless: noGradient,
  },
  {
    name: "cuts the gradient from above at 1",
    of: (k, m) => withGradient(k, m, (dy) => changed(dy, (d) => Math.max(-1, Math.min(1, d)))),
    harmless: noGradient,
  },
  {
    name: "doubles its gradient",
    of: (k, m) => withGradient(k, m, (dy) => dy, doubled),
    harmless: noGradient,
  },
  {
    name: "reads its lists again in the backward pass",
    of: (k, m) =>
      withGradient(
        k,
        m,
        (dy) => dy,
        undefined,
        (args) => args,
      ),
    harmless: methods.filter(
      (m) =>
        (axisArgument[m] === undefined &&
          !["reshape", "slice", "characteristicMeans"].includes(m)) ||
        // A number, and a list of tensors that are told apart by their inputs here.
        ["sort", "concat"].includes(m),
    ),
  },
  ...[0, 1, 2].flatMap((i): Kind[] => [
    {
      name: `has no gradient for operand ${i}`,
      of: (k, m) =>
        i < operandsOf(m)
          ? withGradient(
              k,
              m,
              (dy) => dy,
              (g, n) => (n === i ? changed(g, () => 0) : g),
            )
          : undefined,
      harmless: [...noGradient, ...(i === 0 ? (["where"] as const) : [])],
    },
    {
      name: `doubles the gradient of operand ${i}`,
      of: (k, m) =>
        i < operandsOf(m)
          ? withGradient(
              k,
              m,
              (dy) => dy,
              (g, n) => (n === i ? doubled(g) : g),
            )
          : undefined,
      harmless: [...noGradient, ...(i === 0 ? (["where"] as const) : [])],
    },
    {
      name: `adds to the gradient of operand ${i}`,
      of: (k, m) =>
        i < operandsOf(m)
          ? withGradient(
              k,
              m,
              (dy) => dy,
              (g, n) => (n === i ? changed(g, (d) => d + 0.01) : g),
            )
          : undefined,
    },
  ]),
  ...[0, 1, 2, 3, 4].flatMap((rank): Kind[] => [
    {
      name: `is wrong in its last entry at rank ${rank}`,
      of: (k, m) =>
        withValue(k, m, (result, args) =>
          rankOf(args) === rank
            ? changed(result, (value, i) => (i === result.data.length - 1 ? value + 0.01 : value))
            : result,
        ),
      harmless: refusedAt(rank),
    },
    {
      name: `has a wrong gradient in its last entry at rank ${rank}`,
      of: (k, m) =>
        withGradient(
          k,
          m,
          (dy) => dy,
          (g) =>
            g.shape.length === rank
              ? changed(g, (value, i) => (i === g.data.length - 1 ? value + 0.01 : value))
              : g,
        ),
      harmless: refusedAt(rank),
    },
    {
      name: `throws at rank ${rank}`,
      of:
        (k, m) =>
        (...args) => {
          if (rankOf(args) === rank) throw new Error("no such rank here");
          return of(k, m)(...args);
        },
    },
    {
      name: `loses its gradient at rank ${rank}`,
      of: (k, m) =>
        withGradient(
          k,
          m,
          (dy) => dy,
          (g) => (g.shape.length === rank ? changed(g, () => 0) : g),
        ),
      harmless: [...refusedAt(rank), ...noGradient],
    },
  ]),
  ...[0, 1, 2].flatMap((operand) =>
    [1, 2, 3, 4].map((fromEnd): Kind => ({
      name: `takes axis -${fromEnd} of size 1 of operand ${operand} for another entry`,
      of: (k, m) =>
        operand >= operandsOf(m)
          ? undefined
          : withValue(k, m, (result, args) =>
              tensorsIn(args)[operand]?.shape.at(-fromEnd) === 1 && rankOf(args) >= fromEnd
                ? changed(result, (value) => value + 1)
                : result,
            ),
    })),
  ),
  {
    name: "counts negative axes from the front",
    of: withAxes((axis) => (axis < 0 ? -axis - 1 : axis)),
  },
  { name: "takes every axis for the last", of: withAxes((_, rank) => rank - 1) },
  { name: "takes every axis for the first", of: withAxes(() => 0) },
  {
    name: "takes axes that there are not for the last",
    of: withAxes((axis, rank) => Math.max(-rank, Math.min(rank - 1, axis))),
  },
  {
    name: "refuses negative axes",
    of: withAxes((axis) => {
      if (axis < 0) throw new Error("a negative axis");
      return axis;
    }),
  },
  ...(["first", "last"] as const).map((which): Kind => ({
    name: `goes over the ${which} of several axes only`,
    of: (k, m) =>
      reductions.includes(m)
        ? (x, axes, dims) =>
            of(k, m)(
              x,
              isList(axes) && axes.length > 1
                ? axes.slice(...(which === "first" ? [0, 1] : [-1]))
                : axes,
              dims,
            )
        : undefined,
  })),
  {
    name: "divides by the first size of several",
    of: (k, m) =>
      m === "mean"
        ? (x, axes, dims) => {
            const all =
              (axes as number[] | undefined) ?? (x as Float64Tensor).shape.map((_, i) => i);
            const divisor = all.length === 0 ? 1 : (x as Float64Tensor).shape.at(all[0]!)!;
            return k.div(k.sum(x as Float64Tensor, all, dims as "keep"), divisor);
          }
        : undefined,
  },
  ...(["keep", "drop"] as const).map((dims): Kind => ({
    name: `gives "${dims}" whatever was asked for`,
    of: (k, m) => (reductions.includes(m) ? (x, axes) => of(k, m)(x, axes, dims) : undefined),
  })),
  {
    name: "sorts the caller's list of axes",
    of: (k, m) =>
      reductions.includes(m)
        ? (x, axes, dims) => {
            if (isList(axes)) axes.sort((a, b) => a - b);
            return of(k, m)(x, axes, dims);
          }
        : undefined,
  },
  {
    name: "has the gradient of one of several indices that are the same",
    of: (k, m) =>
      m === "gather"
        ? (x, indices, axis) => {
            const list = [...(indices as number[])];
            const value = k.gather(x as Float64Tensor, indices as number[], axis as number);
            if (list.length < 2) return value;
            const plain = changed(x as Float64Tensor, (v) => v);
            const parts = list.map((index, i) =>
              k.gather(
                list.indexOf(index) === i ? (x as Float64Tensor) : plain,
                [index],
                axis as number,
              ),
            );
            return k.concat(parts, axis as number);
          }
        : undefined,
  },
  {
    name: "does not keep the order of equal entries",
    of: (k, m) =>
      m === "sort"
        ? (x, axis) => {
            // Backwards along the axis, sorted: of equal entries, the last comes first.
            const t = x as Float64Tensor;
            const size = t.shape.at(axis as number) ?? 0;
            const back = Array.from({ length: size }, (_, i) => size - 1 - i);
            return k.sort(k.gather(t, back, axis as number), axis as number);
          }
        : undefined,
  },
  {
    name: "rounds its result to float32",
    of: (k, m) => withValue(k, m, (result) => changed(result, Math.fround)),
    harmless: ["greaterEqual"],
  },
  {
    name: "works in place",
    of:
      (k, m) =>
      (...args) => {
        const result = of(k, m)(...args);
        const copy = changed(result, (value) => value);
        for (const x of tensorsIn(args)) x.data.set(x.data.map((_, i) => copy.data[i] ?? 0));
        return result;
      },
    // Its operand is its result already.
    harmless: ["allReduceMean", "reshape"],
  },
  {
    name: "overwrites its last operand",
    of:
      (k, m) =>
      (...args) => {
        const result = of(k, m)(...args);
        // What the result shares with it stays.
        if (result.data.buffer !== tensorsIn(args).at(-1)?.data.buffer)
          tensorsIn(args).at(-1)?.data.fill(7);
        return result;
      },
    harmless: ["reshape"],
  },
  {
    name: "gives away an operand that equals the result",
    of:
      (k, m) =>
      (...args) => {
        const result = of(k, m)(...args);
        const same = (x: Float64Tensor) =>
          x.shape.join() === result.shape.join() &&
          x.data.every((value, i) => value === result.data[i]);
        return tensorsIn(args).find(same) ?? result;
      },
    // No value that they are asked for is its own result.
    harmless: ["exp", "log", "cos", "characteristicMeans"],
  },
  {
    name: "gives a result that goes with its operand",
    of:
      (k, m) =>
      (...args) => {
        const result = of(k, m)(...args);
        k.dispose(tensorsIn(args)[0] ?? result);
        return result;
      },
  },
  {
    name: "remembers results by shapes",
    of: (k, m) => {
      const known = new Map<string, Float64Tensor>();
      return (...args) => {
        const key = JSON.stringify(
          args.map((arg) =>
            isTensor(arg)
              ? arg.shape
              : Array.isArray(arg)
                ? arg.map((x) => (isTensor(x) ? x.shape : (x as number)))
                : arg,
          ),
        );
        const result = known.get(key) ?? of(k, m)(...args);
        known.set(key, result);
        return result;
      };
    },
  },
  {
    name: "takes NaN for 0",
    of: special(Number.isNaN, 0),
    // What they make of NaN is left open, or they make none.
    harmless: [...alwaysFinite, "maximum", "minimum", "max", "min", "sort"],
  },
  {
    name: "takes infinity for a large number",
    of: special((value) => value === Infinity, 1e38),
    harmless: [...alwaysFinite, "sin", "cos", "tanh", "characteristicMeans"],
  },
  {
    name: "is never negative",
    of: (k, m) => withValue(k, m, (result) => changed(result, (value) => (value < 0 ? 0 : value))),
    harmless: ["abs", "square", "exp", "sqrt", "greaterEqual"],
  },
  {
    name: "refuses empty tensors",
    of:
      (k, m) =>
      (...args) => {
        if (tensorsIn(args).some(({ data }) => data.length === 0)) throw new Error("nothing to do");
        return of(k, m)(...args);
      },
  },
  {
    name: "gives one entry for none",
    of: (k, m) =>
      withValue(k, m, (result) =>
        result.data.length === 0 ? { shape: [1], data: new Float64Array(1) } : result,
      ),
  },
  {
    name: "throws errors without a code",
    of:
      (k, m) =>
      (...args) => {
        try {
          return of(k, m)(...args);
        } catch (error) {
          throw new Error(String(error), { cause: error });
        }
      },
    harmless: ["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh", "allReduceMean"],
  },
  {
    name: "throws errors of another code",
    of:
      (k, m) =>
      (...args) => {
        try {
          return of(k, m)(...args);
        } catch (error) {
          const { code, message } = error as LejepaError;
          throw new LejepaError(
            code === "shape-mismatch" ? "invalid-argument" : "shape-mismatch",
            message,
          );
        }
      },
    harmless: ["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh", "allReduceMean"],
  },
  {
    name: "throws errors that name nothing",
    of:
      (k, m) =>
      (...args) => {
        try {
          return of(k, m)(...args);
        } catch (error) {
          throw new LejepaError((error as LejepaError).code, "shapes differ");
        }
      },
    harmless: ["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh", "allReduceMean"],
  },
  {
    name: "gives its first operand where it should refuse",
    of:
      (k, m) =>
      (...args) => {
        try {
          return of(k, m)(...args);
        } catch {
          return tensorsIn(args)[0] ?? k.fill([], 0);
        }
      },
    harmless: ["neg", "abs", "square", "exp", "log", "sqrt", "sin", "cos", "tanh", "allReduceMean"],
  },
];

/** The functions that no tensor of a rank can be given to, or has a gradient of it. */
function refusedAt(rank: number): Method[] {
  return [
    ...(rank === 0 ? (["concat", "gather", "sort", "characteristicMeans"] as const) : []),
    ...(rank < 2 ? (["matMul"] as const) : []),
  ];
}

/** Cases that noticed a fault. */
const noticing = new Set<string>();

/** The cases that a broken adapter fails; of those that have noticed a fault before, up to the first. */
async function failedOf(broken: Adapter, cases: readonly ConformanceCase[]): Promise<string[]> {
  const failed: string[] = [];
  const known = cases.filter(({ id }) => noticing.has(id));
  for (const one of [...cases.filter(({ id }) => !noticing.has(id)), ...known]) {
    if (failed.length > 0 && noticing.has(one.id)) break;
    const { results } = await runConformance(broken, [one]);
    if (results[0]?.status === "failed") failed.push(one.id);
  }
  failed.forEach((id) => noticing.add(id));
  return failed;
}

const casesOf = (name: string) => conformanceCases.filter(({ id }) => id.startsWith(`${name}/`));

test("an adapter on which nothing is broken passes", async () => {
  const { results } = await runConformance(strict(loneAdapter()));
  expect(results.filter(({ status }) => status !== "passed")).toEqual([]);
});

test.each(methods)("whatever is wrong with %s is noticed by one of its cases", async (method) => {
  const [missed, noticed]: [string[], string[]] = [[], []];
  for (const kind of kinds) {
    const k = strict(loneAdapter());
    const broken = kind.of(k, method);
    if (broken === undefined) continue;
    const failed = await failedOf({ ...k, [method]: broken }, casesOf(method));
    (failed.length === 0 ? missed : noticed).push(kind.name);
  }
  const harmless = kinds.filter((kind) => kind.harmless?.includes(method)).map(({ name }) => name);
  expect(missed).toEqual(
    kinds
      .map(({ name }) => name)
      .filter((name) => missed.includes(name) && harmless.includes(name)),
  );
  // What is called harmless is.
  expect(noticed.filter((name) => harmless.includes(name))).toEqual([]);
  expect(noticed.length).toBeGreaterThan(25);
});

/** A fault of a function that takes or gives something else than tensors. */
interface OwnFault {
  readonly method: string;
  readonly name: string;
  readonly breakIt: (k: Adapter) => Partial<Adapter>;
}

/** Runs a body and gives the gradient rule that its functions see, changed. */
const withRule =
  (change: (rule: GradientRule<Float64Tensor>) => GradientRule<Float64Tensor>) =>
  (k: Adapter): Partial<Adapter> => ({
    customGradient: (rule, inputs) => k.customGradient(change(rule), inputs),
  });
const onDy = (change: (dy: Float64Tensor) => Float64Tensor) =>
  withRule((rule) => ({ ...rule, backward: (dy, saved) => rule.backward(change(dy), saved) }));
const onGradients = (change: (gradients: readonly Float64Tensor[]) => readonly Float64Tensor[]) =>
  withRule((rule) => ({ ...rule, backward: (dy, saved) => change(rule.backward(dy, saved)) }));
const onSaved = (change: (saved: readonly Float64Tensor[]) => readonly Float64Tensor[]) =>
  withRule((rule) => ({ ...rule, backward: (dy, saved) => rule.backward(dy, change(saved)) }));

const atRank = (rank: number, x: Float64Tensor, other: (x: Float64Tensor) => Float64Tensor) =>
  x.shape.length === rank ? other(x) : x;
const plusOne = (x: Float64Tensor) => changed(x, (value) => value + 1);

const ownFaults: readonly OwnFault[] = [
  // What is planted is what strangers planted, first.
  { method: "customGradient", name: "ignores dy", breakIt: onDy((dy) => changed(dy, () => 1)) },
  {
    method: "readSync",
    name: "hands out the internal buffer",
    breakIt: () => ({ readSync: (x) => x.data }),
  },

  {
    method: "customGradient",
    name: "takes dy for its mean",
    breakIt: onDy((dy) => changed(dy, () => dy.data.reduce((a, b) => a + b, 0) / dy.data.length)),
  },
  {
    method: "customGradient",
    name: "takes the first of dy for all",
    breakIt: onDy((dy) => changed(dy, () => dy.data[0] ?? 0)),
  },
  {
    method: "customGradient",
    name: "loses the sign of dy",
    breakIt: onDy((dy) => changed(dy, Math.abs)),
  },
  { method: "customGradient", name: "gives dy twice over", breakIt: onDy(doubled) },
  {
    method: "customGradient",
    name: "gives gradients in reverse",
    breakIt: onGradients((g) =>
      g.length > 1 && g[0]!.shape.join() === g[1]!.shape.join() ? [...g].reverse() : g,
    ),
  },
  {
    method: "customGradient",
    name: "drops the gradient of the second input",
    breakIt: onGradients((g) => g.map((x, i) => (i === 1 ? changed(x, () => 0) : x))),
  },
  {
    method: "customGradient",
    name: "gives saved tensors in reverse",
    breakIt: onSaved((s) => [...s].reverse()),
  },
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "customGradient",
    name: `has no gradient at rank ${rank}`,
    breakIt: onGradients((g) => g.map((x) => atRank(rank, x, (y) => changed(y, () => 0)))),
  })),
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "customGradient",
    name: `is wrong at rank ${rank}`,
    breakIt: (k) => ({
      customGradient: (rule, inputs) => {
        const value = k.customGradient(rule, inputs);
        return value.shape.length === rank ? k.add(value, 1) : value;
      },
    }),
  })),
  {
    method: "customGradient",
    name: "differentiates through the forward pass",
    breakIt: () => ({ customGradient: (rule, inputs) => rule.forward(inputs).value }),
  },
  {
    method: "customGradient",
    name: "reads its list of inputs again in the backward pass",
    breakIt: (k) => ({
      customGradient: (rule, inputs) => {
        const order = [...inputs];
        return k.customGradient(
          {
            ...rule,
            backward: (dy, saved) => {
              const gradients = rule.backward(dy, saved);
              return order.map((x) => gradients[inputs.indexOf(x)] ?? x);
            },
          },
          inputs,
        );
      },
    }),
  },
  {
    method: "customGradient",
    name: "adds the forward pass's own gradient",
    breakIt: (k) => ({
      customGradient: (rule, inputs) => {
        const value = k.customGradient(rule, inputs);
        const own = rule.forward(inputs).value;
        return k.add(
          value,
          k.sub(
            own,
            changed(own, (v) => v),
          ),
        );
      },
    }),
  },
  {
    method: "customGradient",
    name: "takes gradients of any shape",
    breakIt: (k) => ({
      customGradient: (rule, inputs) =>
        k.customGradient(
          {
            ...rule,
            backward: (dy, saved) => {
              const gradients = rule.backward(dy, saved);
              return inputs.map((x, i) => {
                const gradient = gradients[i] ?? k.fill([], 0);
                return gradient.shape.join() === x.shape.join()
                  ? gradient
                  : changed(x, () => gradient.data[0] ?? 0);
              });
            },
          },
          inputs,
        ),
    }),
  },
  {
    method: "customGradient",
    name: "gives away the tensor that forward gave",
    breakIt: (k) => ({
      customGradient: (rule, inputs) => {
        const { value } = rule.forward(inputs);
        return inputs.includes(value) ? value : k.customGradient(rule, inputs);
      },
    }),
  },

  {
    method: "readSync",
    name: "remembers what it read",
    breakIt: (k) => {
      const known = new WeakMap<Float64Tensor, Float64Array>();
      return {
        readSync: (x) => {
          const data = known.get(x) ?? (k.readSync(x) as Float64Array);
          known.set(x, data);
          return data;
        },
      };
    },
  },
  {
    method: "readSync",
    name: "gives float32",
    breakIt: (k) => ({ readSync: (x) => Float32Array.from(k.readSync(x)) }),
  },
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "readSync",
    name: `is wrong at rank ${rank}`,
    breakIt: (k) => ({ readSync: (x) => k.readSync(atRank(rank, x, plusOne)) }),
  })),
  {
    method: "readSync",
    name: "drops the last entry of three",
    breakIt: (k) => ({
      readSync: (x) => k.readSync(x).slice(0, x.data.length === 3 ? 2 : undefined),
    }),
  },

  {
    method: "read",
    name: "hands out the internal buffer",
    breakIt: () => ({ read: (x) => Promise.resolve(x.data) }),
  },
  {
    method: "read",
    name: "remembers what it read",
    breakIt: (k) => {
      const known = new WeakMap<Float64Tensor, Promise<Float64Array>>();
      return {
        read: (x) => {
          const data = known.get(x) ?? (k.read(x) as Promise<Float64Array>);
          known.set(x, data);
          return data;
        },
      };
    },
  },
  {
    method: "read",
    name: "gives one array again and again",
    breakIt: (k) => {
      const memory = new Float64Array(64);
      return {
        read: async (x) => {
          const data = await k.read(x);
          memory.set(data);
          return memory.subarray(0, data.length);
        },
      };
    },
  },
  {
    method: "read",
    name: "gives float32",
    breakIt: (k) => ({ read: async (x) => Float32Array.from(await k.read(x)) }),
  },
  {
    method: "read",
    name: "gives a plain list",
    breakIt: (k) => ({ read: async (x) => Array.from(await k.read(x)) as unknown as Float64Array }),
  },
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "read",
    name: `is wrong at rank ${rank}`,
    breakIt: (k) => ({ read: (x) => k.read(atRank(rank, x, plusOne)) }),
  })),

  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "shape",
    name: `is wrong at rank ${rank}`,
    breakIt: (k) => ({ shape: (x) => (x.shape.length === rank ? [...k.shape(x), 1] : k.shape(x)) }),
  })),
  {
    method: "shape",
    name: "gives a typed array",
    breakIt: (k) => ({ shape: (x) => Int32Array.from(k.shape(x)) as unknown as number[] }),
  },

  {
    method: "fill",
    name: "takes any shape",
    breakIt: (k) => ({
      fill: (shape, value) =>
        k.fill(
          shape.map((n) => Math.abs(Math.trunc(n)) || 0),
          value,
        ),
    }),
  },
  {
    method: "fill",
    name: "throws errors without a code",
    breakIt: () => ({
      fill: (shape, value) => ({
        shape: [...shape],
        data: new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(value),
      }),
    }),
  },
  {
    method: "fill",
    name: "keeps the caller's list",
    breakIt: (k) => ({ fill: (shape, value) => ({ shape, data: k.fill(shape, value).data }) }),
  },
  {
    method: "fill",
    name: "fills integers",
    breakIt: (k) => ({
      fill: (shape, value) => k.fill(shape, Math.round(value)),
      div: (a, b) => changed(k.div(a, b), Math.trunc),
    }),
  },
  {
    method: "fill",
    name: "makes integers of whole numbers",
    breakIt: (k) => {
      const whole = new WeakSet<Float64Tensor>();
      return {
        fill: (shape, value) => {
          const x = k.fill(shape, value);
          if (Number.isInteger(value)) whole.add(x);
          return x;
        },
        div: (a, b) =>
          isTensor(a) && whole.has(a) ? changed(k.div(a, b), Math.trunc) : k.div(a, b),
      };
    },
  },
  {
    method: "fill",
    name: "takes NaN for 0",
    breakIt: (k) => ({ fill: (shape, value) => k.fill(shape, value || 0) }),
  },
  {
    method: "fill",
    name: "gives one tensor for all of a shape and value",
    breakIt: (k) => {
      const known = new Map<string, Float64Tensor>();
      return {
        fill: (shape, value) => {
          const key = `${shape.join()} ${value}`;
          const x = known.get(key) ?? k.fill(shape, value);
          known.set(key, x);
          return x;
        },
      };
    },
  },
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "fill",
    name: `is wrong at rank ${rank}`,
    breakIt: (k) => ({ fill: (shape, value) => atRank(rank, k.fill(shape, value), plusOne) }),
  })),

  {
    method: "fromArray",
    name: "keeps a Float64Array",
    breakIt: (k) => ({
      fromArray: (data, shape) => {
        const x = k.fromArray(data, shape);
        return data instanceof Float64Array ? { shape: x.shape, data } : x;
      },
    }),
  },
  {
    method: "fromArray",
    name: "keeps the caller's shape",
    breakIt: (k) => ({
      fromArray: (data, shape) => ({ shape, data: k.fromArray(data, shape).data }),
    }),
  },
  {
    method: "fromArray",
    name: "takes lists only",
    breakIt: (k) => ({
      fromArray: (data, shape) => {
        if (!Array.isArray(data)) throw new Error("no list");
        return k.fromArray(data, shape);
      },
    }),
  },
  {
    method: "fromArray",
    name: "takes what can be iterated only",
    breakIt: (k) => ({ fromArray: (data, shape) => k.fromArray([...(data as number[])], shape) }),
  },
  {
    method: "fromArray",
    name: "reads the memory behind a view",
    breakIt: (k) => ({
      fromArray: (data, shape) =>
        k.fromArray(
          data instanceof Float64Array
            ? new Float64Array(data.buffer).subarray(0, data.length)
            : data,
          shape,
        ),
    }),
  },
  {
    method: "fromArray",
    name: "makes integers of an Int32Array",
    breakIt: (k) => {
      const whole = new WeakSet<Float64Tensor>();
      return {
        fromArray: (data, shape) => {
          const x = k.fromArray(data, shape);
          if (data instanceof Int32Array) whole.add(x);
          return x;
        },
        div: (a, b) =>
          isTensor(a) && whole.has(a) ? changed(k.div(a, b), Math.trunc) : k.div(a, b),
      };
    },
  },
  {
    method: "fromArray",
    name: "takes NaN for 0",
    breakIt: (k) => ({
      fromArray: (data, shape) => changed(k.fromArray(data, shape), (value) => value || 0),
    }),
  },
  {
    method: "fromArray",
    name: "fills what is missing",
    breakIt: (k) => ({
      fromArray: (data, shape) => {
        const size = shape.reduce((a, b) => a * b, 1);
        return k.fromArray(
          Array.from({ length: size }, (_, i) => data[i] ?? 0),
          shape,
        );
      },
    }),
  },
  {
    method: "fromArray",
    name: "is one tensor for the same values",
    breakIt: (k) => {
      const known = new Map<string, Float64Tensor>();
      return {
        fromArray: (data, shape) => {
          const key = `${shape.join()} ${Array.from(data).join()}`;
          const x = known.get(key) ?? k.fromArray(data, shape);
          known.set(key, x);
          return x;
        },
      };
    },
  },
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "fromArray",
    name: `is wrong at rank ${rank}`,
    breakIt: (k) => ({
      fromArray: (data, shape) =>
        atRank(rank, k.fromArray(data, shape), (x) =>
          changed(x, (value, i) => (i === 0 ? value + 1 : value)),
        ),
    }),
  })),

  {
    method: "scope",
    name: "disposes what is deep in its result",
    breakIt: (k) => ({
      scope: (body) => {
        const result = body();
        const deep = (x: unknown, depth: number): void => {
          if (isTensor(x)) {
            if (depth > 1) k.dispose(x);
          } else if (typeof x === "object" && x !== null)
            Object.values(x).forEach((y) => deep(y, depth + 1));
        };
        deep(result, 0);
        return result;
      },
    }),
  },
  {
    method: "scope",
    name: "gives tensors only",
    breakIt: () => ({
      scope: (body) => {
        const result = body();
        return (typeof result === "object" ? result : undefined) as typeof result;
      },
    }),
  },
  {
    method: "scope",
    name: "swallows errors",
    breakIt: () => ({
      scope: (body) => {
        try {
          return body();
        } catch {
          return undefined as never;
        }
      },
    }),
  },
  {
    method: "scope",
    name: "wraps errors",
    breakIt: () => ({
      scope: (body) => {
        try {
          return body();
        } catch (error) {
          throw new Error("scope failed", { cause: error });
        }
      },
    }),
  },
  {
    method: "scope",
    name: "disposes the result of an inner scope",
    breakIt: (k) => {
      let depth = 0;
      return {
        scope: (body) => {
          depth++;
          const result = body();
          depth--;
          if (depth > 0) tensorsIn([result]).forEach((x) => k.dispose(x));
          return result;
        },
      };
    },
  },
  {
    method: "scope",
    name: "stays open after an error",
    breakIt: () => {
      let open = false;
      return {
        scope: (body) => {
          if (open) throw new Error("a scope is open");
          open = true;
          const result = body();
          open = false;
          return result;
        },
      };
    },
  },
  {
    method: "scope",
    name: "copies lists and objects without their numbers",
    breakIt: () => ({
      scope: (body) => {
        const result = body();
        if (typeof result === "object" && result !== null && "n" in result)
          return { ...result, n: undefined };
        return result;
      },
    }),
  },
  {
    method: "scope",
    name: "disposes the tensors that it was not given",
    breakIt: (k) => {
      // What is used inside counts as made inside.
      let used: Float64Tensor[] | undefined;
      return {
        mul: (a, b) => {
          used?.push(...tensorsIn([a, b]));
          return k.mul(a, b);
        },
        scope: (body) => {
          used = [];
          const result = body();
          used.forEach((x) => k.dispose(x));
          used = undefined;
          return result;
        },
      };
    },
  },

  {
    method: "dispose",
    name: "is refused inside a scope",
    breakIt: (k) => {
      let depth = 0;
      return {
        scope: (body) => {
          depth++;
          try {
            return body();
          } finally {
            depth--;
          }
        },
        dispose: (x) => {
          if (depth > 0) throw new Error("leave it to the scope");
          k.dispose(x);
        },
      };
    },
  },
  ...[0, 1, 2, 3, 4].flatMap((rank): OwnFault[] => [
    {
      method: "scope",
      name: `disposes its result at rank ${rank}`,
      breakIt: (k) => ({
        scope: (body) => {
          const result = body();
          if (isTensor(result) && result.shape.length === rank) k.dispose(result);
          return result;
        },
      }),
    },
    {
      method: "dispose",
      name: `throws at rank ${rank}`,
      breakIt: () => ({
        dispose: ({ shape }) => {
          if (shape.length === rank) throw new Error("no such rank here");
        },
      }),
    },
  ]),
  ...(["read", "readSync"] as const).map((method): OwnFault => ({
    method,
    name: "takes NaN for 0",
    breakIt: (k) => ({
      [method]: (x: Float64Tensor) => k[method](changed(x, (value) => value || 0)),
    }),
  })),
  {
    method: "dispose",
    name: "wipes shared memory",
    breakIt: () => ({ dispose: (x) => void x.data.fill(NaN) }),
  },

  {
    method: "valueAndGrad",
    name: "adds up gradients from call to call",
    breakIt: (k) => {
      const known = new WeakMap<Float64Tensor, Float64Tensor>();
      return {
        valueAndGrad: (f, inputs) => {
          const { value, grads } = k.valueAndGrad(f, inputs);
          return {
            value,
            grads: grads.map((g, i) => {
              const before = known.get(inputs[i]!);
              const sum = before && inputs.indexOf(inputs[i]!) === i ? k.add(before, g) : g;
              known.set(inputs[i]!, sum);
              return sum;
            }),
          };
        },
      };
    },
  },
  {
    method: "valueAndGrad",
    name: "gives one gradient for one tensor",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return {
          value,
          grads: grads.map((g, i) =>
            grads.reduce(
              (sum, other, j) => (j !== i && inputs[j] === inputs[i] ? k.add(sum, other) : sum),
              g,
            ),
          ),
        };
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "gives away its input",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return {
          value: inputs.find((x) => x.shape.length === 0 && x.data[0] === value.data[0]) ?? value,
          grads,
        };
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "gives one tensor for equal gradients",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return {
          value,
          grads: grads.map(
            (g) =>
              grads.find(
                (other) =>
                  other.shape.join() === g.shape.join() && other.data.join() === g.data.join(),
              ) ?? g,
          ),
        };
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "needs inputs",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        if (inputs.length === 0) throw new Error("no inputs");
        return k.valueAndGrad(f, inputs);
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "reads its list of inputs again",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const before = [...inputs];
        const { value, grads } = k.valueAndGrad(f, inputs);
        return { value, grads: inputs.map((x, i) => grads[before.indexOf(x)] ?? grads[i]!) };
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "wraps errors",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        try {
          return k.valueAndGrad(f, inputs);
        } catch (error) {
          if (error instanceof LejepaError) throw error;
          throw new Error("no gradient", { cause: error });
        }
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "is busy for ever after an error",
    breakIt: (k) => {
      let busy = false;
      return {
        valueAndGrad: (f, inputs) => {
          if (busy) throw new Error("busy");
          busy = true;
          const result = k.valueAndGrad(f, inputs);
          busy = false;
          return result;
        },
      };
    },
  },
  {
    method: "valueAndGrad",
    name: "takes one entry for a scalar",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) =>
        k.valueAndGrad((...xs) => {
          const y = f(...xs);
          return y.data.length === 1 ? k.reshape(y, []) : y;
        }, inputs),
    }),
  },
  {
    method: "valueAndGrad",
    name: "takes what has no influence for an error",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const result = k.valueAndGrad(f, inputs);
        if (result.grads.some((g) => g.data.length > 0 && g.data.every((d) => d === 0)))
          throw new Error("no influence");
        return result;
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "gives the gradient of the first input for all",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return {
          value,
          grads: grads.map((g) => (g.shape.join() === grads[0]!.shape.join() ? grads[0]! : g)),
        };
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "gives the value of the sum",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return { value: k.add(value, 1), grads };
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "disposes its inputs",
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const result = k.valueAndGrad(
          f,
          inputs.map((x) => k.mul(x, 1)),
        );
        inputs.forEach((x) => k.dispose(x));
        return result;
      },
    }),
  },
  {
    method: "valueAndGrad",
    name: "disposes what comes from outside",
    breakIt: (k) => {
      const seen: Float64Tensor[] = [];
      return {
        mul: (a, b) => {
          seen.push(...tensorsIn([b]));
          return k.mul(a, b);
        },
        valueAndGrad: (f, inputs) => {
          seen.length = 0;
          const result = k.valueAndGrad(f, inputs);
          seen.forEach((x) => k.dispose(x));
          return result;
        },
      };
    },
  },
  ...[0, 1, 2, 3, 4].map((rank): OwnFault => ({
    method: "valueAndGrad",
    name: `has no gradient at rank ${rank}`,
    breakIt: (k) => ({
      valueAndGrad: (f, inputs) => {
        const { value, grads } = k.valueAndGrad(f, inputs);
        return { value, grads: grads.map((g) => atRank(rank, g, (x) => changed(x, () => 0))) };
      },
    }),
  })),
];

test.each(ownFaults)(
  "$method that $name is noticed by one of its cases",
  async ({ method, breakIt }) => {
    const k = strict(loneAdapter());
    expect(await failedOf({ ...k, ...breakIt(k) }, casesOf(method))).not.toEqual([]);
  },
);

test("every case of the sweeps has noticed a fault", () => {
  expect(sweepCases.map(({ id }) => id).filter((id) => !noticing.has(id))).toEqual([]);
});
