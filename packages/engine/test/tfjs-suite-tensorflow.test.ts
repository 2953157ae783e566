/** tfjs-core's own test cases on the lowering for TensorFlow. */
import { describe, expect, test } from "vitest";
import { namedBackends } from "../../../tools/backend-names.mjs";
import { needs } from "../../../tools/backends.js";
import { expectedTensorFlowFailures } from "./tfjs-suite/expected-failures.js";
import { failed, suiteResults, surprise } from "./tfjs-suite/results.js";
import { tfjsSuite } from "./tfjs-suite/suite.js";
import { tensorflowRunner } from "./tfjs-suite/tensorflow-runner.js";

const suite = namedBackends.includes("tensorflow")
  ? await tfjsSuite(await tensorflowRunner())
  : { cases: [], rules: { "@lejepa/ops": new Set<string>(), "tfjs-core": new Set<string>() } };
const results = suiteResults(suite);
const expected = new Set(expectedTensorFlowFailures.flatMap(({ cases }) => cases));

describe("the cases of tfjs-core come out as expected on the lowering for TensorFlow", () => {
  const files = [...new Set(suite.cases.map(({ file }) => file))];
  test.each(files)("%s", async (file) => {
    const surprises = [];
    for (const each of suite.cases)
      if (each.file === file) surprises.push(surprise(await results.of(each), expected));
    expect(surprises.filter((each) => each !== undefined)).toEqual([]);
  });
});

test("there are thousands of cases, hundreds with gradients, and at most 5 % of them fail", async (context) => {
  needs("tensorflow", context);
  const all = (await results.all()).filter(({ ours }) => !ours.refused && ours.kernels.length > 0);
  expect(all.length).toBeGreaterThan(2200);
  expect(all.filter(({ theirs }) => theirs).length).toBeGreaterThan(450);
  expect(all.filter(failed).length).toBeLessThanOrEqual(0.05 * all.length);
});

test("every expected failure is a case", (context) => {
  needs("tensorflow", context);
  const names = new Set(suite.cases.map(({ name }) => name));
  expect([...expected].filter((name) => !names.has(name))).toEqual([]);
});
