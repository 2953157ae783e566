import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Counts the calls that change the disk; from one on they fail, of a process that is dead or of a disk that is full. */
const disk = vi.hoisted(() => ({ calls: 0, failsAt: Infinity, code: "" }));
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const checked =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      const n = disk.calls++;
      const fails = disk.code === "killed" ? n >= disk.failsAt : n === disk.failsAt;
      return fails
        ? Promise.reject(Object.assign(new Error(disk.code), { code: disk.code }))
        : call(...args);
    };
  const open: typeof real.open = async (...args) => {
    const handle = await checked(real.open)(...args);
    handle.writeFile = checked(handle.writeFile.bind(handle));
    handle.sync = checked(handle.sync.bind(handle));
    return handle;
  };
  return { ...real, open, rename: checked(real.rename), rm: checked(real.rm) };
});
const { claimOutput } = await import("@lejepa/trainer");

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lejepa-output-"));
});
afterEach(() => {
  disk.failsAt = Infinity;
  rmSync(folder, { recursive: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const claim = () => claimOutput(join(folder, "x.npy"), join(folder, "x.labels.npy"));

/** Replaces both files by ones of a version, or the labels by none. */
async function write(version: string, labels: "labels" | "no labels" = "labels"): Promise<void> {
  const output = await claim();
  try {
    disk.calls = 0;
    await output.replace(bytes(version), labels === "labels" ? bytes(version) : null);
  } finally {
    await output.release();
  }
}

/** Versions of features and labels. */
function found(): string {
  return ["x.npy", "x.labels.npy"]
    .map((name) => (readdirSync(folder).includes(name) ? readFileSync(join(folder, name)) : "none"))
    .join();
}

const litter = () => readdirSync(folder).filter((name) => !/^x\.(labels\.)?npy$/.test(name));

test("both files are replaced, and labels that there are no more are taken away", async () => {
  await write("1");
  await write("2");
  expect(found()).toBe("2,2");
  await write("3", "no labels");
  expect(found()).toBe("3,none");
  expect(litter()).toEqual([]);
});

test.each(["labels", "no labels"] as const)(
  "a process that dies at any moment leaves no features beside labels of others, with %s",
  async (labels) => {
    const after = labels === "labels" ? "2" : "none";
    await write("1");
    await write("1");
    const moments = disk.calls;
    expect(moments).toBeGreaterThan(8);
    const seen = new Set<string>();
    for (let moment = 0; moment < moments; moment++) {
      await write("1");
      const output = await claim();
      disk.calls = 0;
      Object.assign(disk, { failsAt: moment, code: "killed" });
      const second = labels === "labels" ? bytes("2") : null;
      await output.replace(bytes("2"), second).catch(() => undefined);
      disk.failsAt = Infinity;
      await output.release();
      seen.add(found());
    }
    const allowed = new Set(["1,1", "1,none", "2,none", `2,${after}`]);
    expect(seen).toEqual(allowed);
    await write("3");
    expect(litter()).toEqual([]);
  },
);

test("a disk that fails at any call keeps both old files or has both new ones, and no others", async () => {
  await write("1");
  await write("1");
  const moments = disk.calls;
  for (let moment = 0; moment < moments; moment++) {
    await write("1");
    const output = await claim();
    disk.calls = 0;
    Object.assign(disk, { failsAt: moment, code: "ENOSPC" });
    const failure = await output.replace(bytes("2"), bytes("2")).then(
      () => "",
      (error: { code: string }) => error.code,
    );
    disk.failsAt = Infinity;
    await output.release();
    expect(["", "disk-full"]).toContain(failure);
    // After the features are in place, labels that cannot follow are missing.
    expect(["1,1", "2,2", "2,none"]).toContain(found());
    if (found() === "1,1") expect(litter(), `call ${moment}`).toEqual([]);
  }
});

test("is for one process at a time, and what others left of it is removed, not more", async () => {
  writeFileSync(join(folder, "x.npy.123-0123abcd.partial"), "");
  writeFileSync(join(folder, "x.labels.npy.123-0123abcd.partial"), "");
  writeFileSync(join(folder, "y.npy.123-0123abcd.partial"), "");
  const output = await claim();
  await expect(claim()).rejects.toMatchObject({ code: "locked" });
  expect(litter()).toEqual(["x.npy-1.lock", "y.npy.123-0123abcd.partial"]);
  await output.release();
  await (await claim()).release();
});

test("a folder of that name is told before the work, and the labels of before stay", async () => {
  mkdirSync(join(folder, "x.npy"));
  writeFileSync(join(folder, "x.labels.npy"), "1");
  await expect(claim()).rejects.toMatchObject({ code: "not-writable" });
  await expect(claim()).rejects.toThrow(/x\.npy cannot be written: it is a folder;/);
  expect(readFileSync(join(folder, "x.labels.npy"), "utf8")).toBe("1");
  rmSync(join(folder, "x.npy"), { recursive: true });
  rmSync(join(folder, "x.labels.npy"));
  mkdirSync(join(folder, "x.labels.npy"));
  await expect(claim()).rejects.toThrow(/x\.labels\.npy cannot be written: it is a folder;/);
  expect(litter()).toEqual([]);
});

test("a folder that comes there during the work is told, and the labels of before stay", async () => {
  await write("1");
  const output = await claim();
  rmSync(join(folder, "x.npy"));
  mkdirSync(join(folder, "x.npy"));
  await expect(output.replace(bytes("2"), bytes("2"))).rejects.toMatchObject({
    code: "not-writable",
  });
  await output.release();
  expect(readFileSync(join(folder, "x.labels.npy"), "utf8")).toBe("1");
  expect(litter()).toEqual([]);
});

test.runIf(process.platform === "linux")("a folder that takes no files is told", async () => {
  const claimed = claimOutput("/proc/x.npy", "/proc/x.labels.npy");
  await expect(claimed).rejects.toMatchObject({ code: "not-writable" });
  await expect(claimed).rejects.toThrow(
    /^\/proc\/x\.npy cannot be written: its folder is gone, or/,
  );
});

test("one file alone is replaced, and who is refused is told how to take it over by hand", async () => {
  const file = join(folder, "x.npy");
  const output = await claimOutput(file);
  await expect(claimOutput(file)).rejects.toThrow(
    /if it is gone for sure, remove .*x\.npy-1\.lock\.$/,
  );
  await output.replace(bytes("1"), null);
  await output.release();
  expect(found()).toBe("1,none");
  expect(litter()).toEqual([]);
});
