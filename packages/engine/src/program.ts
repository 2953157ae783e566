/** What the engines have in common: a program of several steps over one state, of which a single step is a case. */
import { registerTfjsGradients, type HostTensors } from "@lejepa/ops";
import { engineError } from "./engine-error.js";
import type {
  CompiledEntry,
  CompiledProgram,
  CompiledStep,
  Engine,
  ProgramSpec,
  Step,
  StepSpec,
} from "./engine.js";
import { isRecord } from "./checked-options.js";
import { shown } from "./shown.js";
import { checkState, resolveInputs, type ResolvedInput } from "./step-values.js";

/** One step of a program, its inputs checked. */
export interface ResolvedEntry<Name extends string = string> {
  readonly name: Name;
  readonly step: Step;
  readonly inputs: readonly ResolvedInput[];
}

type CompileEntries = <Name extends string>(
  entries: readonly ResolvedEntry<Name>[],
  state: HostTensors,
  onDispose: () => void,
) => Promise<CompiledProgram<Name>>;

/** `compile` and `dispose` of an engine that compiles so. What it has compiled is disposed with it, what it is about to
 *  compile included, and `end` comes last; nothing is compiled from then on. */
export function engineOver(
  compile: CompileEntries,
  end: () => Promise<void>,
): Pick<Engine, "compile" | "dispose"> {
  const programs = new Set<Promise<CompiledProgram>>();
  let disposal: Promise<void> | undefined;
  const disposeAll = async (): Promise<void> => {
    for (const program of programs)
      await program.then(
        (compiled) => compiled.dispose(),
        // Whoever asked for it hears why it failed.
        () => undefined,
      );
    await end();
  };
  return {
    compile: compileWith(
      (entries, state) => {
        const program = compile(entries, state, () => programs.delete(program));
        programs.add(program);
        program.catch(() => programs.delete(program));
        return program;
      },
      () => {
        if (disposal === undefined) return;
        throw engineError(
          "disposed",
          "compile: this engine was disposed; make another one with createEngine.",
        );
      },
    ),
    dispose: () => (disposal ??= disposeAll()),
  };
}

/** `Engine.compile` in both its forms. */
function compileWith(
  compile: <Name extends string>(
    entries: readonly ResolvedEntry<Name>[],
    state: HostTensors,
  ) => Promise<CompiledProgram<Name>>,
  requireAlive: () => void,
): Engine["compile"] {
  function either(step: Step, spec: StepSpec): Promise<CompiledStep>;
  function either<Name extends string>(
    steps: Readonly<Record<Name, Step>>,
    spec: ProgramSpec<Name>,
  ): Promise<CompiledProgram<Name>>;
  async function either(
    steps: Step | Readonly<Record<string, Step>>,
    spec: StepSpec | ProgramSpec,
  ): Promise<CompiledStep | CompiledProgram> {
    requireAlive();
    if (!isRecord(spec))
      throw engineError(
        "bad-input",
        `compile: what to compile for should be { state, inputs }, got ${shown(spec)}.`,
      );
    checkState(spec.state, spec.state);
    // Those of tfjs may have been imported since.
    registerTfjsGradients();
    if (typeof steps === "function") {
      const inputs = resolveInputs((spec as StepSpec).inputs);
      return asStep(await compile([{ name: "step", step: steps, inputs }], spec.state));
    }
    return compile(resolveEntries(steps, spec as ProgramSpec), spec.state);
  }
  return either;
}

function resolveEntries(
  steps: Readonly<Record<string, Step>>,
  spec: ProgramSpec,
): readonly ResolvedEntry[] {
  if (!isRecord(steps) || Object.values(steps).some((step) => typeof step !== "function"))
    throw engineError(
      "bad-step",
      `compile: a step should be a function, or several a record of functions by name, got ${shown(steps)}.`,
    );
  const names = Object.keys(steps);
  if (names.length === 0)
    throw engineError("bad-step", "compile: there is no step to compile; name at least one.");
  if (!isRecord(spec.inputs))
    throw engineError(
      "bad-input",
      `compile: spec.inputs should be a record of the inputs of each step by its name, got ${shown(spec.inputs)}.`,
    );
  for (const name of new Set([...names, ...Object.keys(spec.inputs)]))
    if (!(Object.hasOwn(spec.inputs, name) && Object.hasOwn(steps, name)))
      throw engineError(
        "bad-input",
        Object.hasOwn(steps, name)
          ? `compile: the inputs of the step "${name}" are not declared; add them to spec.inputs, {} if there are none.`
          : `compile: spec.inputs has "${name}", which is no step; the steps are ${names.join(", ")}.`,
      );
  return names.map((name) => ({
    name,
    step: steps[name]!,
    inputs: resolveInputs(spec.inputs[name]!),
  }));
}

function asStep(program: CompiledProgram<"step">): CompiledStep {
  const { step } = program.entries;
  return {
    run: (inputs) => step.run(inputs),
    explain: (options) => step.explain(options),
    retrace: () => step.retrace(),
    compileMilliseconds: step.compileMilliseconds,
    nodes: step.nodes,
    readState: () => program.readState(),
    writeState: (state) => program.writeState(state),
    dispose: () => program.dispose(),
  };
}

/** The entries by name. */
export const byName = <Name extends string>(
  entries: readonly (readonly [Name, CompiledEntry])[],
): Readonly<Record<Name, CompiledEntry>> =>
  Object.fromEntries(entries) as Record<Name, CompiledEntry>;

/** Names and shapes of a state without its numbers, which are kept in one place only. */
export const shapesOf = (state: HostTensors): HostTensors =>
  Object.fromEntries(
    Object.entries(state).map(([name, { shape }]) => [name, { shape, data: new Float32Array() }]),
  );

/** What use after `dispose` throws. */
export const disposedError = () =>
  engineError("disposed", "This compiled step was disposed; compile it again.");
