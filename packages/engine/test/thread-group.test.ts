import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { breakThreadGroup, createThreadGroup, joinThreadGroup } from "@lejepa/engine";
import { describe, expect, test } from "vitest";
import type { ExchangeTask } from "./ranks/exchange-rank.js";

/** A module that reads TypeScript and then imports that of a rank: the loader of this thread is not that of another. */
const rankModule = `
  import { register } from "tsx/esm/api";
  register();
  await import(${JSON.stringify(new URL("ranks/exchange-rank.ts", import.meta.url).href)});`;

interface Report {
  readonly means?: readonly Float32Array[];
  readonly code?: string;
}

const start = (task: ExchangeTask): Worker =>
  new Worker(rankModule, { eval: true, execArgv: ["--input-type=module"], workerData: task });

async function exchange(ofEach: readonly (readonly Float32Array[])[]): Promise<Report[]> {
  const group = createThreadGroup(ofEach.length);
  const workers = ofEach.map((rounds, rank) => start({ group, rank, rounds }));
  const messages = await Promise.all(workers.map((worker) => once(worker, "message")));
  return messages.map(([report]) => report as Report);
}

describe("threads that share memory", () => {
  test("all have the mean of every round, also of more values than fit at once", async () => {
    const large = 600_000;
    const ofEach = [1, 2, 6].map((factor) => [
      Float32Array.of(factor, 0, -factor),
      Float32Array.from({ length: large }, (_, i) => factor * (i % 7)),
      Float32Array.of(),
      Float32Array.of(10 * factor),
    ]);
    for (const { means } of await exchange(ofEach)) {
      expect(means!.map(({ length }) => length)).toEqual([3, large, 0, 1]);
      expect([...means![0]!]).toEqual([3, 0, -3]);
      expect(means![1]!.every((value, i) => value === 3 * (i % 7))).toBe(true);
      expect([...means![3]!]).toEqual([30]);
    }
  });

  test("all have the same bits, whoever comes first", async () => {
    const rounds = (rank: number) =>
      Array.from({ length: 50 }, (_, round) =>
        Float32Array.from({ length: 33 }, (_, i) => Math.sin(1e4 * rank + 1e3 * round + i) / 3),
      );
    const [first, ...others] = await exchange([rounds(0), rounds(1), rounds(2), rounds(3)]);
    for (const { means } of others) expect(means).toEqual(first!.means);
    // In the order of ranks, in double precision, rounded once.
    const of = (rank: number) => rounds(rank)[7]![5]!;
    expect(first!.means![7]![5]).toBe(Math.fround((of(0) + of(1) + of(2) + of(3)) / 4));
  });

  test("that average different numbers of values are told so", async () => {
    const reports = await exchange([[Float32Array.of(1)], [Float32Array.of(1, 2)]]);
    const codes = reports.map(({ code }) => code);
    expect(codes).toContain("processes-differ");
    expect(codes.every((code) => code === "processes-differ" || code === "process-lost")).toBe(
      true,
    );
  });

  test("do not wait for one that is lost", async () => {
    const group = createThreadGroup(3);
    const rounds = [Float32Array.of(1)];
    const waiting = [0, 1].map((rank) => start({ group, rank, rounds }));
    const reports = Promise.all(waiting.map((worker) => once(worker, "message")));
    await Promise.all(waiting.map((worker) => once(worker, "online")));
    breakThreadGroup(group);
    expect((await reports).map(([{ code }]) => code as string)).toEqual([
      "process-lost",
      "process-lost",
    ]);
    expect(() => joinThreadGroup(group, 2).allReduceMean(Float32Array.of(1))).toThrow(
      expect.objectContaining({ code: "process-lost" }),
    );
  });
});

test("a group of one has its own values", () => {
  const values = Float32Array.of(1.5, -2);
  joinThreadGroup(createThreadGroup(1), 0).allReduceMean(values);
  expect([...values]).toEqual([1.5, -2]);
});

test.each([0, 1.5, -1, Number.NaN])("a group of %d threads is refused", (size) => {
  expect(() => createThreadGroup(size)).toThrow(expect.objectContaining({ code: "bad-option" }));
});

test.each([2, -1, 0.5])("rank %d of two is refused", (rank) => {
  expect(() => joinThreadGroup(createThreadGroup(2), rank)).toThrow(
    expect.objectContaining({ code: "bad-option" }),
  );
});
