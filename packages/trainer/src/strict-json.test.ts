import { expect, test } from "vitest";
import { parseJson } from "./strict-json.js";

test.each([
  ["", "it is empty"],
  [" \n", "it is empty"],
  ['{\n  "a": 1,\n}', "line 3, column 1"],
  ['{\n  "a": 1\n  "b": 2\n}', "line 3, column 3"],
  ["{ a: 1 }", "line 1, column 3"],
  ['{ "a": 1 } // why', "line 1, column 12"],
  ['{ "a": "line\nbreak" }', "line 1, column 8"],
  ['{ "a": 01 }', "line 1, column"],
  ["nothing", "line 1, column 1"],
])("%j is refused in one line that says where", (text, where) => {
  const parse = (): unknown => parseJson(text);
  expect(parse).toThrow(SyntaxError);
  expect(parse).toThrow(where);
  expect(parse).not.toThrow(/\n/);
});

test("what JSON.parse takes is taken", () => {
  expect(parseJson(' {"a": [1.5, null, "\\u00e9"], "a": 2} ')).toEqual({ a: 2 });
});
