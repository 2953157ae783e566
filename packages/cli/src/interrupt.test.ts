import { afterEach, expect, test, vi } from "vitest";
import { Interrupted, interruptSignal } from "./interrupt.js";

afterEach(() => vi.restoreAllMocks());

test("the first press aborts, what comes with it is ignored, and the next press ends the process", () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(5000);
  const exit = vi.spyOn(process, "exit").mockReturnValue(undefined as never);
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const interrupt = interruptSignal("Stopping");
  const { signal } = interrupt;
  try {
    expect(signal.aborted).toBe(false);
    process.emit("SIGINT");
    expect(signal.reason).toBeInstanceOf(Interrupted);
    expect(said.mock.calls).toEqual([["\nStopping; press Ctrl-C again to stop at once.\n"]]);
    now.mockReturnValue(5199);
    process.emit("SIGINT");
    process.emit("SIGTERM");
    expect(exit.mock.calls).toEqual([]);
    now.mockReturnValue(5200);
    process.emit("SIGINT");
    expect(exit.mock.calls).toEqual([[130]]);
  } finally {
    interrupt.ignore();
  }
});
