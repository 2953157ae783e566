import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { brokenTensorFlow } from "../../../../tools/broken-tensorflow.js";
import { loadAddon } from "./load-addon.js";

const directory = mkdtempSync(join(tmpdir(), "lejepa-load-addon-"));
const addon = brokenTensorFlow(directory);
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  { source: "setup", remedy: "lejepa setup tensorflow --force" },
  { source: "stock", remedy: 'set another one up with "lejepa setup tensorflow"' },
] as const)(
  "what does not load of a $source installation says what to do",
  ({ source, remedy }) => {
    expect(() => loadAddon({ kind: "cpu", version: "9.9.9", addon, source, directory })).toThrow(
      expect.objectContaining({
        code: "engine-unavailable",
        message: expect.stringContaining(remedy) as string,
      }),
    );
  },
);
