import { expect, test } from "vitest";
import { measurePasses } from "./passes.js";

const batch = { views: 2, size: 8 };

test("a pass that changes a step is timed, and one that leaves it alone is told apart", async () => {
  const passes = ["identities, reshapes and transposes", "blocked layout"];
  const { worth } = await measurePasses(["vit"], 1, { passes, batch });
  expect(worth).toMatchObject([
    { model: "vit", pass: passes[0], ratio: { min: expect.any(Number) as number } },
    { model: "vit", pass: passes[1], nodes: 0, ratio: undefined },
  ]);
  expect(worth[0]!.nodes).toBeGreaterThan(100);
});
