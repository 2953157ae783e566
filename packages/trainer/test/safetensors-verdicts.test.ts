/** What safetensors in Python takes and what it refuses, header by header: ours agrees, or a line says why not. */
import { execFileSync } from "node:child_process";
import { decodeSafetensors } from "@lejepa/trainer";
import { expect, test } from "vitest";
import { needs } from "../../../tools/backends.js";

interface Case {
  readonly header: string;
  readonly bytes: number;
  /** Where ours refuses what Python takes, and why. */
  readonly stricter?: string;
}

const offsets = '"data_offsets":[0,4]';
const f32 = (inside: string): string => `{"w":{"dtype":"F32",${inside}}}`;
const dtypes = [
  ...["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"],
  ...["I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "U64", "f32", "F128"],
];

const cases: readonly Case[] = [
  { header: "{}", bytes: 0 },
  { header: "{} \n\t ", bytes: 0 },
  { header: " {}", bytes: 0, stricter: "the format has it begin with a brace" },
  { header: "\ufeff{}", bytes: 0 },
  { header: "[]", bytes: 0 },
  { header: "{}{}", bytes: 0 },
  { header: "{}", bytes: 1 },
  { header: '{"__metadata__":null}', bytes: 0 },
  { header: '{"__metadata__":{"a":"b"}}', bytes: 0 },
  { header: '{"__metadata__":{"a":null}}', bytes: 0 },
  { header: '{"__metadata__":{"a":1}}', bytes: 0 },
  { header: '{"__metadata__":[]}', bytes: 0 },
  { header: '{"__metadata__":{},"__metadata__":{}}', bytes: 0 },
  { header: '{"__metadata__":{"a":"1","a":"2"}}', bytes: 0, stricter: "a name stands twice" },
  { header: f32(`"shape":[1],${offsets}`), bytes: 4 },
  { header: f32(`"shape":[],${offsets}`), bytes: 4 },
  { header: f32(`"shape":[1,1,1],${offsets}`), bytes: 4 },
  { header: f32(`"shape":[1],${offsets},"more":[1.5]`), bytes: 4 },
  { header: f32(`"shape":[1],${offsets}`), bytes: 3 },
  { header: f32(`"shape":[1],${offsets}`), bytes: 5 },
  { header: f32(`"shape":[2],${offsets}`), bytes: 4 },
  { header: f32(`"shape":[1.0],${offsets}`), bytes: 4 },
  { header: f32(`"shape":[1e0],${offsets}`), bytes: 4 },
  { header: f32('"shape":[-0],"data_offsets":[0,0]'), bytes: 0 },
  { header: f32(`"shape":[-1],${offsets}`), bytes: 4 },
  { header: f32(`"shape":["1"],${offsets}`), bytes: 4 },
  { header: f32(`"shape":1,${offsets}`), bytes: 4 },
  { header: f32('"shape":[1],"data_offsets":[0,4e0]'), bytes: 4 },
  { header: f32('"shape":[1],"data_offsets":[0,4,4]'), bytes: 4 },
  { header: f32('"shape":[1],"data_offsets":[4,0]'), bytes: 4 },
  { header: f32('"shape":[1],"data_offsets":[4,8]'), bytes: 8 },
  { header: f32('"shape":[1],"data_offsets":[-4,0]'), bytes: 4 },
  { header: f32('"shape":[1]'), bytes: 4 },
  { header: f32(offsets), bytes: 4 },
  { header: f32('"shape":[0,4503599627370496],"data_offsets":[0,0]'), bytes: 0 },
  { header: f32('"shape":[4294967296,4294967296,0],"data_offsets":[0,0]'), bytes: 0 },
  {
    header: f32('"shape":[4194305,4194305,211106198978564],"data_offsets":[0,16]'),
    bytes: 16,
  },
  {
    header: `{"w":{"dtype":"U8","shape":[4],${offsets}},"w":{"dtype":"F32","shape":[1],${offsets}}}`,
    bytes: 4,
    stricter: "a name stands twice",
  },
  { header: `{"w":{"dtype":"U8","dtype":"F32","shape":[1],${offsets}}}`, bytes: 4 },
  { header: `{"w":["F32",[1],[0,4]]}`, bytes: 4, stricter: "an entry is an object by the format" },
  { header: `{"\\ud800":{"dtype":"F32","shape":[1],${offsets}}}`, bytes: 4 },
  { header: `{"\\ud83d\\ude00":{"dtype":"F32","shape":[1],${offsets}}}`, bytes: 4 },
  { header: `{"":{"dtype":"F32","shape":[1],${offsets}}}`, bytes: 4 },
  {
    header: `{"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"w":{"dtype":"F32","shape":[1],${offsets}}}`,
    bytes: 4,
  },
  {
    header: `{"a":{"dtype":"F32","shape":[0],"data_offsets":[2,2]},"w":{"dtype":"F32","shape":[1],${offsets}}}`,
    bytes: 4,
  },
  {
    header: `{"a":{"dtype":"F32","shape":[1],${offsets}},"w":{"dtype":"F32","shape":[1],${offsets}}}`,
    bytes: 4,
  },
  ...dtypes.map((dtype) => ({
    header: `{"w":{"dtype":"${dtype}","shape":[8],"data_offsets":[0,${8 * bytesOf(dtype)}]}}`,
    bytes: 8 * bytesOf(dtype),
  })),
  ...["C64", "F4", "F6_E2M3", "F6_E3M2"].map((dtype) => ({
    header: `{"w":{"dtype":"${dtype}","shape":[0],"data_offsets":[0,0]}}`,
    bytes: 0,
    stricter: "float32 cannot hold complex numbers, and these of less than a byte are not read",
  })),
];

function bytesOf(dtype: string): number {
  return /64$/.test(dtype) ? 8 : /32$/.test(dtype) ? 4 : /16$/.test(dtype) ? 2 : 1;
}

function fileOf({ header, bytes }: Case): Buffer {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(bytes)]);
}

const accepts = (read: () => unknown): boolean => {
  try {
    read();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: "LejepaError", code: /^safetensors-/ });
    return false;
  }
};

test("headers are taken and refused as Python's safetensors does", (context) => {
  needs("python", context);
  const script = `
import base64, json, sys
from safetensors import deserialize
def accepts(data):
    try:
        deserialize(data)
        return True
    except Exception:
        return False
print(json.dumps([accepts(base64.b64decode(file)) for file in json.load(sys.stdin)]))`;
  const input = JSON.stringify(cases.map((each) => fileOf(each).toString("base64")));
  const theirs = JSON.parse(
    execFileSync("python3", ["-c", script], { input, encoding: "utf8" }),
  ) as boolean[];
  const verdicts = cases.map((each, i) => ({
    header: each.header,
    bytes: each.bytes,
    theirs: theirs[i]!,
    ours: accepts(() => decodeSafetensors(fileOf(each), "x.safetensors")),
  }));
  const differing = verdicts.filter(({ theirs, ours }) => theirs !== ours);
  const expected = cases.filter(({ stricter }) => stricter !== undefined);
  expect(differing.map(({ header }) => header)).toEqual(expected.map(({ header }) => header));
  expect(differing.every(({ theirs }) => theirs)).toBe(true);
});

test("float16 and the formats of 8 bits are PyTorch's, code by code", (context) => {
  needs("python", context);
  const script = `
import base64, torch
from safetensors.torch import save
codes = torch.arange(65536, dtype=torch.int32)
halves = codes.to(torch.uint16).view(torch.float16)
brains = codes.to(torch.uint16).view(torch.bfloat16)
bytes = torch.arange(256, dtype=torch.int32).to(torch.uint8)
kinds = {"f16": halves, "bf16": brains}
for name in ["float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz"]:
    kinds[name] = bytes.clone().view(getattr(torch, name))
both = {}
for name, codes in kinds.items():
    both[name] = codes
    both[name + " as float32"] = codes.to(torch.float32)
print(base64.b64encode(save(both)).decode())`;
  const bytes = Buffer.from(
    execFileSync("python3", ["-c", script], { encoding: "utf8", maxBuffer: 1e8 }),
    "base64",
  );
  const { tensors } = decodeSafetensors(bytes, "x");
  const names = Object.keys(tensors).filter((name) => !name.endsWith("float32"));
  expect(names.length).toBe(7);
  for (const name of names) {
    expect(tensors[name]!.data, name).toEqual(tensors[`${name} as float32`]!.data);
  }
});
