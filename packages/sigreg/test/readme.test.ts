import { expect, test } from "vitest";
import { runReadmeExample } from "../../../tools/readme-example.js";

test("the example of the README prints what it says", () => {
  const { output, printed } = runReadmeExample(import.meta.dirname);
  expect(output).toBe(printed);
});

test("and so does the one without a framework", () => {
  const { output, printed } = runReadmeExample(
    import.meta.dirname,
    undefined,
    "## Without a framework",
  );
  expect(output).toBe(printed);
});
