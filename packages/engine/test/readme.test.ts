import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { runReadmeExample } from "../../../tools/readme-example.js";

test("the example of the README prints what it says", (context) => {
  needs("onnx", context);
  const { output, printed } = runReadmeExample(import.meta.dirname);
  expect(output).toBe(printed);
});
