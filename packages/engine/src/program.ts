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
) => Promise<CompiledProgram<Name>>;

/** `Engine.compile` in both its forms. */
export function compileWith(compile: CompileEntries): Engine["compile"] {
  function either(step: Step, spec: StepSpec): Promise<CompiledStep>;
  function either<Name extends string>(
    steps: Readonly<Record<Name, Step>>,
    spec: ProgramSpec<Name>,
  ): Promise<CompiledProgram<Name>>;
  async function either(
    steps: Step | Readonly<Record<string, Step>>,
    spec: StepSpec | ProgramSpec,
  ): Promise<CompiledStep | CompiledProgram> {
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
  const names = Object.keys(steps);
  if (names.length === 0)
    throw engineError("bad-step", "compile: there is no step to compile; name at least one.");
  for (const name of new Set([...names, ...Object.keys(spec.inputs)]))
    if (!(name in spec.inputs && name in steps))
      throw engineError(
        "bad-input",
        name in steps
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
