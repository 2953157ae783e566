import { expect, test } from "vitest";
import { LejepaError } from "./lejepa-error.js";

test("an error is recognised by name and code, and keeps its cause", () => {
  const cause = new RangeError("inner");
  const error = new LejepaError("bad-shape", "linear: x should have shape [.., 3].", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "LejepaError", code: "bad-shape", cause });
  expect(String(error)).toBe("LejepaError: linear: x should have shape [.., 3].");
});
