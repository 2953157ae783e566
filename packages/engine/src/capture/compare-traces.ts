/** Two traces of one step must be the same, or a number that the graph would freeze is not constant. */
import { engineError } from "../engine-error.js";
import type { CallSite } from "../graph/call-site.js";
import type { GraphNode, Value } from "../graph/graph.js";
import type { Trace } from "./capture.js";
import type { RecordedLiteral } from "./recorder.js";

/** Throws "changing-constant" or "changing-structure" at the first difference, naming the line that made it. */
export function compareTraces(first: Trace, second: Trace): void {
  const partner = new Map<Value, Value>();
  const pair = (a: Value, b: Value): void => void partner.set(a, b);
  first.inputs.forEach(({ value }, i) => pair(value, second.inputs[i]!.value));
  const count = Math.max(first.events.length, second.events.length);
  for (let i = 0; i < count; i++) {
    const a = first.events[i];
    const b = second.events[i];
    if (a?.kind === "literal" && b?.kind === "literal") {
      compareLiterals(a.recorded, b.recorded, () => reader(b.recorded.value, second));
      pair(a.recorded.value, b.recorded.value);
    } else if (a?.kind === "kernel" && b?.kind === "kernel") {
      compareNodes(a.node, b.node, partner);
      a.node.outputs.forEach((value, k) => pair(value, b.node.outputs[k]!));
    } else {
      const site = siteOf(b) ?? siteOf(a) ?? siteOf(second.events.at(-1));
      throw changed(
        "changing-structure",
        `other operations (${nameOf(a)}, then ${nameOf(b)})`,
        site,
      );
    }
  }
  const sameOutputs =
    first.outputs.length === second.outputs.length &&
    first.outputs.every(
      ({ name, value }, i) =>
        name === second.outputs[i]!.name && partner.get(value) === second.outputs[i]!.value,
    );
  if (!sameOutputs)
    throw engineError(
      "changing-structure",
      "The step returns other tensors from one trace to the next; what it does must depend on its state and inputs only.",
    );
}

type Event = Trace["events"][number];

const siteOf = (event: Event | undefined) =>
  event?.kind === "kernel" ? event.node.site : event?.recorded.site;

const nameOf = (event: Event | undefined): string =>
  event === undefined ? "nothing" : event.kind === "kernel" ? event.node.op : "a constant";

function changed(
  code: "changing-constant" | "changing-structure",
  what: string,
  site: CallSite | undefined,
): Error {
  return engineError(
    code,
    `The step has ${what} from one trace to the next, at ${String(site ?? "an unknown line")}; a compiled step freezes every number it sees, so pass what changes in as an input.`,
  );
}

/** The first kernel that takes the value, for an error. */
function reader(value: Value, { events }: Trace): string {
  const taker = events.find(
    (event) => event.kind === "kernel" && event.node.inputs.includes(value),
  );
  return taker === undefined ? "which no kernel takes" : `which kernel ${nameOf(taker)} takes`;
}

function compareLiterals(a: RecordedLiteral, b: RecordedLiteral, taken: () => string): void {
  if (a.value.shape.join() !== b.value.shape.join() || a.value.dtype !== b.value.dtype)
    throw changed(
      "changing-constant",
      `a constant of shape [${a.value.shape.join(", ")}], then [${b.value.shape.join(", ")}], ${taken()},`,
      b.site,
    );
  const at = (literal: RecordedLiteral["literal"], i: number): number =>
    "uniform" in literal ? literal.uniform : literal.dense[i]!;
  const length =
    "dense" in a.literal
      ? a.literal.dense.length
      : "dense" in b.literal
        ? b.literal.dense.length
        : 1;
  for (let i = 0; i < length; i++)
    if (!Object.is(at(a.literal, i), at(b.literal, i)))
      throw changed(
        "changing-constant",
        `the number ${at(a.literal, i)}, then ${at(b.literal, i)}, ${taken()},`,
        b.site,
      );
}

function compareNodes(a: GraphNode, b: GraphNode, partner: ReadonlyMap<Value, Value>): void {
  const sameWires =
    a.op === b.op &&
    a.inputNames?.join() === b.inputNames?.join() &&
    a.outputs.length === b.outputs.length &&
    a.inputs.every((value, i) => value && partner.get(value) === b.inputs[i]);
  if (!sameWires)
    throw changed("changing-structure", `other operations (${a.op}, then ${b.op})`, b.site);
  const [before, after] = [a.attributes, b.attributes];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
    if (textOf(before[name]) !== textOf(after[name]))
      throw changed(
        "changing-constant",
        `the attribute ${name} = ${textOf(before[name])} of ${a.op}, then ${textOf(after[name])},`,
        b.site,
      );
}

/** JSON, but NaN and infinities stay what they are. */
const textOf = (attribute: unknown): string =>
  JSON.stringify(attribute, (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
