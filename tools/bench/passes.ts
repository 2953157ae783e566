import type { Engine } from "@lejepa/engine";
import { OnnxSessionHost } from "../../packages/engine/src/hosts/onnx-session-host.js";
import { blockSizeFor } from "../../packages/engine/src/onnx/block-size.js";
import { loadOnnxRuntime } from "../../packages/engine/src/onnx-engine.js";
import { onnxMaker, onnxPassNames, type OnnxMaking } from "../../packages/engine/src/onnx-maker.js";
import { sessionEngine } from "../../packages/engine/src/session-program.js";
import { references, type Batch, type Model } from "./reference-steps.js";
import { openReferenceStep, type OpenStep } from "./step.js";
import { round, timing } from "./timing.js";

/** What one pass is worth on one step: figures without it over those with all passes. */
interface Worth {
  model: Model;
  pass: string;
  /** Nodes that there are more without it. */
  nodes: number;
  /** Of the processor's time of a step; undefined where the pass changes nothing, so that there is nothing to time. */
  ratio: { min: number; median: number } | undefined;
}

/** A compiled step, and the graphs that it runs. */
interface Compiled {
  readonly step: OpenStep;
  readonly graphs: string;
  readonly nodes: number;
  close(): Promise<void>;
}

/** Times each reference step without one pass after the other, in turns with the step as it is (A B A B ..), on one
 *  thread and by the processor's time, which other programs disturb less than the clock's. */
export async function measurePasses(
  models: readonly Model[],
  rounds: number,
  { passes, batch }: { readonly passes?: readonly string[]; readonly batch?: Batch } = {},
): Promise<{ rounds: number; worth: Worth[] }> {
  const blockSize = await blockSizeFor("auto", await loadOnnxRuntime());
  const making = {
    blockSize,
    batches: "in parts",
    updates: "by-host",
    processes: undefined,
  } as const;
  const worth: Worth[] = [];
  for (const model of models) {
    console.log(`\n${model}, ${rounds} rounds: processor time without a pass over that with it`);
    const whole = await compiled(model, making, batch);
    for (const pass of passes ?? onnxPassNames(making)) {
      const without = await compiled(model, { ...making, leftOut: pass }, batch);
      const ratio =
        without.graphs === whole.graphs
          ? undefined
          : await compare(without.step, whole.step, rounds * references[model].stepsPerTurn);
      await without.close();
      const nodes = without.nodes - whole.nodes;
      worth.push({ model, pass, nodes, ratio });
      const figures = ratio ? `${ratio.min} min, ${ratio.median} median` : "changes nothing";
      console.log(`${pass}: ${figures}; ${nodes >= 0 ? "+" : ""}${nodes} nodes`);
    }
    await whole.close();
  }
  return { rounds, worth };
}

async function compiled(model: Model, making: OnnxMaking, batch?: Batch): Promise<Compiled> {
  const runtime = await loadOnnxRuntime();
  const graphs: string[] = [];
  let nodes = 0;
  const maker = onnxMaker(making);
  const settings = { engine: "onnx", threads: 1, memoryArena: true } as const;
  const { compile, dispose } = sessionEngine(
    {
      ...maker,
      encode: (graph, ...ports) => {
        nodes += graph.nodes.length;
        const operations = graph.nodes.map(
          ({ op, inputs, outputs }) =>
            `${op} ${[...inputs, ...outputs].map((value) => value?.shape.join()).join(" ")}`,
        );
        graphs.push(operations.join("\n"));
        return maker.encode(graph, ...ports);
      },
    },
    () => new OnnxSessionHost(runtime, { ...settings, provider: "cpu", state: "cpu" }),
  );
  const engine: Engine = { name: "onnx", description: "one thread", compile, dispose };
  const step = await openReferenceStep(engine, model, batch);
  return { step, graphs: graphs.join("\n\n"), nodes, close: dispose };
}

/** Of the least and of the middle time of so many steps. */
async function compare(
  a: OpenStep,
  b: OpenStep,
  steps: number,
): Promise<{ min: number; median: number }> {
  // The first steps warm caches and allocators up.
  for (let i = 0; i < 2; i++) for (const step of [a, b]) await step.run();
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < steps; i++)
    for (const [side, step] of [a, b].entries()) times[side]!.push(await processorTime(step));
  const [one, other] = times.map(timing) as [ReturnType<typeof timing>, ReturnType<typeof timing>];
  return {
    min: round(one.min_ms / other.min_ms),
    median: round(one.median_ms / other.median_ms),
  };
}

/** Milliseconds that the processor spends on a step. */
async function processorTime(step: OpenStep): Promise<number> {
  const before = process.cpuUsage();
  await step.run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
