import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { startAll } from "./peer-process.js";
import { openSigreg, type Implementation, type SigregShape } from "./sigreg-evaluations.js";
import { round, timing } from "./timing.js";

const here = import.meta.dirname;

/** A shape with the greatest ratios that pass: closed form over torch eager, one thread each, and a compiled engine over
 *  torch.compile on all cores. */
interface Bar {
  readonly shape: SigregShape;
  readonly closedForm: number;
  readonly compiled: number;
  readonly perTurn: number;
}
const bars: readonly Bar[] = [
  { shape: [2, 512, 128, 1024], closedForm: 0.33, compiled: 1, perTurn: 3 },
  { shape: [4, 128, 64, 256], closedForm: 0.33, compiled: 1, perTurn: 10 },
  { shape: [8, 64, 1024, 1024], closedForm: 0.8, compiled: 1, perTurn: 3 },
  { shape: [1, 4096, 64, 256], closedForm: 0.33, compiled: 1, perTurn: 3 },
];
/** Where memory is compared, and the least ratio of the formula's peak over ours that passes. */
const memoryShape: SigregShape = [1, 65536, 64, 256];
const memoryBar = 8;

/** Sizes over which time has to be linear; each list changes one of them. */
const sweeps: Readonly<Record<string, readonly SigregShape[]>> = {
  N: [1024, 4096, 16_384, 65_536].map((samples) => [1, samples, 64, 256]),
  D: [128, 256, 512, 1024].map((dim) => [2, 512, dim, 256]),
  S: [128, 256, 512, 1024].map((slices) => [2, 512, 128, slices]),
};

/** SIGReg's value and gradient beside the formula in PyTorch, interleaved; memory; and how time grows. */
export async function compareSigreg(rounds: number) {
  const shapes = [];
  for (const bar of bars) {
    const row = await compareShape(bar, rounds);
    shapes.push(row);
    // The whole takes minutes: each shape is told when it is done.
    console.log(`${row.shape.join(",")}: ${JSON.stringify(row.least_ms)}`);
  }
  console.log(`\n${rounds} rounds, least ms of value and gradient, 17 knots`);
  console.table(shapes.map(asRow));

  const memory = compareMemory();
  console.log(`\npeak resident memory above that before the call at ${memoryShape.join(",")}, MiB`);
  console.table(memory);

  const exponents = await fitExponents(rounds);
  console.log("\nclosed form, least ms, and the exponent of time in each size by least squares");
  console.table(exponents);
  return { rounds, shapes, memory, exponents };
}

async function compareShape({ shape, closedForm, compiled, perTurn }: Bar, rounds: number) {
  const sizes = shape.join(",");
  const all = String(availableParallelism());
  const ours = (implementation: Implementation): [string, string[]] => [
    process.execPath,
    [...process.execArgv, `${here}/peers/sigreg-evaluations.ts`, implementation, sizes],
  ];
  const torch = (mode: string, threads: string): [string, string[]] => [
    "python3",
    [`${here}/peers/sigreg_formula.py`, "--shape", sizes, "--mode", mode, "--threads", threads],
  ];
  const peers = await startAll({
    closed_form: ours("closed-form"),
    plain: ours("plain"),
    onnx: ours("onnx"),
    tensorflow: ours("tensorflow"),
    tfjs: ours("tfjs"),
    torch_eager_one_thread: torch("eager", "1"),
    torch_eager: torch("eager", all),
    torch_compile: torch("compile", all),
  });
  type Name = keyof typeof peers;
  const names = Object.keys(peers) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  try {
    for (let i = 0; i < rounds; i++)
      for (const name of names) {
        // The slow ones have no bar to meet: once a round is enough.
        const isSlow = name === "plain" || name === "tfjs";
        await pause(300);
        times[name].push(...(await peers[name].steps(isSlow ? 1 : perTurn)));
      }
  } finally {
    for (const peer of Object.values(peers)) peer.stop();
  }
  const least = Object.fromEntries(
    names.map((name) => [name, timing(times[name]).min_ms]),
  ) as Record<Name, number>;
  const ratios = {
    closed_form: round(least.closed_form / least.torch_eager_one_thread),
    onnx: round(least.onnx / least.torch_compile),
    tensorflow: round(least.tensorflow / least.torch_compile),
  };
  return {
    shape,
    least_ms: least,
    closed_form: {
      ratio: ratios.closed_form,
      bar: closedForm,
      met: ratios.closed_form <= closedForm,
    },
    onnx: { ratio: ratios.onnx, bar: compiled, met: ratios.onnx <= compiled },
    tensorflow: { ratio: ratios.tensorflow, bar: compiled, met: ratios.tensorflow <= compiled },
  };
}

const verdict = ({ ratio, bar, met }: { ratio: number; bar: number; met: boolean }) =>
  `${ratio} (at most ${bar}: ${met ? "met" : "missed"})`;

const asRow = (row: Awaited<ReturnType<typeof compareShape>>) => ({
  "V,N,D,S": row.shape.join(","),
  "closed form": row.least_ms.closed_form,
  "eager, 1 thread": row.least_ms.torch_eager_one_thread,
  "closed / eager": verdict(row.closed_form),
  onnx: row.least_ms.onnx,
  compile: row.least_ms.torch_compile,
  "onnx / compile": verdict(row.onnx),
  tensorflow: row.least_ms.tensorflow,
  "tensorflow / compile": verdict(row.tensorflow),
  plain: row.least_ms.plain,
  tfjs: row.least_ms.tfjs,
  eager: row.least_ms.torch_eager,
});

/** Peaks of one process for each, in MiB. */
function compareMemory() {
  const sizes = memoryShape.join(",");
  const bytes = (program: string, args: string[]): number => {
    const printed = execFileSync(program, args, { encoding: "utf8" });
    return (JSON.parse(printed) as { bytes: number }).bytes;
  };
  const ours = (implementation: Implementation) => {
    const peer = `${here}/peers/sigreg-evaluations.ts`;
    return bytes(process.execPath, [...process.execArgv, peer, implementation, sizes, "memory"]);
  };
  const formula = `${here}/peers/sigreg_formula.py`;
  const torch = bytes("python3", [
    ...[formula, "--shape", sizes, "--mode", "eager", "--threads", "1", "--memory"],
  ]);
  const closedForm = ours("closed-form");
  const ratio = round(torch / closedForm);
  return {
    torch_eager: round(torch / 2 ** 20),
    closed_form: round(closedForm / 2 ** 20),
    ratio,
    bar: memoryBar,
    met: ratio >= memoryBar,
  };
}

/** Times each sweep's sizes in turns and fits log time = exponent * log size + constant. */
async function fitExponents(rounds: number) {
  const rows: Record<string, { sizes: string; ms: string; exponent: number }> = {};
  for (const [size, shapes] of Object.entries(sweeps)) {
    const evaluations = await Promise.all(shapes.map((shape) => openSigreg("closed-form", shape)));
    const times = shapes.map(() => Infinity);
    for (let i = 0; i < rounds + 2; i++)
      for (const [j, evaluate] of evaluations.entries()) {
        const start = performance.now();
        await evaluate();
        times[j] = Math.min(times[j]!, performance.now() - start);
      }
    const changing = shapes[0]!.findIndex((length, axis) => length !== shapes[1]![axis]);
    const sizes = shapes.map((shape) => shape[changing]!);
    rows[size] = {
      sizes: sizes.join(", "),
      ms: times.map(round).join(", "),
      exponent: round(slope(sizes.map(Math.log), times.map(Math.log))),
    };
  }
  return rows;
}

/** The slope of the line of least squares. */
function slope(x: readonly number[], y: readonly number[]): number {
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const products = x.map((value, i) => (value - meanX) * (y[i]! - meanY));
  const squares = x.map((value) => (value - meanX) ** 2);
  return mean(products) / mean(squares);
}
