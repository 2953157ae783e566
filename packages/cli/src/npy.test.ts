import { execFileSync } from "node:child_process";
import { parse } from "npyjs";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";
import { npyFile } from "./npy.js";

const shapes = [
  [],
  [0],
  [1],
  [3],
  [9, 1],
  [10, 7],
  [0, 128],
  [65, 2],
  [1000, 16],
  [12345, 3],
  [2, 3, 4],
  [1, 2, 3, 4, 5],
  [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
].map((shape) => ({ shape, size: shape.reduce((product, length) => product * length, 1) }));

const arrays = shapes.flatMap(({ shape, size }) =>
  [Float32Array, Int32Array].map((ArrayOf) => ({
    name: `${ArrayOf.name} [${shape.join()}]`,
    shape,
    data: new ArrayOf(size).map((_, i) => i - 3),
  })),
);

test.each(arrays)("data of $name begin at a multiple of 64 bytes", ({ shape, data }) => {
  const file = Uint8Array.from(npyFile(data, shape));
  const header = file.length - data.byteLength;
  expect(header % 64).toBe(0);
  expect(file[header - 1]).toBe(10);
  const read = parse(file.buffer);
  expect(read.shape).toEqual(shape);
  expect(read.data).toEqual(data);
});

test("the bytes are those of numpy.save", (context) => {
  needs("python", context);
  const script = `
import base64, io, json, sys, numpy
def saved(spec):
    out = io.BytesIO()
    numpy.save(out, (numpy.arange(spec["size"]) - 3).astype(spec["type"]).reshape(spec["shape"]))
    return base64.b64encode(out.getvalue()).decode()
print(json.dumps([saved(spec) for spec in json.load(sys.stdin)]))`;
  const specs = arrays.map(({ shape, data }) => ({
    shape,
    size: data.length,
    type: data instanceof Float32Array ? "float32" : "int32",
  }));
  const input = JSON.stringify(specs);
  const options = { input, encoding: "utf8", maxBuffer: 1e8 } as const;
  const theirs = JSON.parse(execFileSync("python3", ["-c", script], options)) as string[];
  expect(theirs.length).toBe(arrays.length);
  arrays.forEach(({ name, shape, data }, i) => {
    const ours = Buffer.from(npyFile(data, shape)).toString("base64");
    expect(ours, name).toBe(theirs[i]);
  });
});
