/** @packageDocumentation
 *  The conformance cases as tests of vitest. */
import { describe, expect, test } from "vitest";
import type { TensorAdapter } from "../contract.js";
import { conformanceCases } from "./cases.js";
import { runConformance } from "./run-conformance.js";

/** Declares a test for each case, titled with its id, in a group named after the adapter. Call it at the top of a test file.
 *  A capability that is declared missing and throws `unsupported` passes.
 *  @param adapter The adapter to try.
 *  @param cases The cases; by default all of them. */
export function testConformance<T>(adapter: TensorAdapter<T>, cases = conformanceCases): void {
  describe(`${adapter.name} keeps the tensor contract`, () => {
    for (const one of cases)
      test(one.id, async () => {
        const { results } = await runConformance(adapter, [one]);
        expect(results.map(({ reason }) => reason)).toEqual([undefined]);
      });
  });
}
