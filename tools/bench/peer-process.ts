import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** A process that answers `N` with the times of N steps. */
export interface Peer {
  steps(count: number): Promise<number[]>;
  stop(): void;
}

/** Starts processes; when one of them fails, none is left. */
export async function startAll<Name extends string>(
  commands: Record<Name, [program: string, args: string[]]>,
): Promise<Record<Name, Peer>> {
  const peers: Partial<Record<Name, Peer>> = {};
  try {
    for (const [name, [program, args]] of Object.entries(commands) as [Name, [string, string[]]][])
      peers[name] = await start(program, args);
  } catch (error) {
    for (const peer of Object.values<Peer | undefined>(peers)) peer?.stop();
    throw error;
  }
  return peers as Record<Name, Peer>;
}

async function start(program: string, args: string[]): Promise<Peer> {
  const child: ChildProcess = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(
        new Error(`${program} ${args.join(" ")} ended with code ${code}; see its message above.`),
      ),
    );
  });
  failed.catch(() => {}); // Stopping a peer at the end is no failure.
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done) return failed;
    return line.value;
  };
  if ((await nextLine()) !== "ready") throw new Error(`${program} ${args[0]} did not say ready.`);
  return {
    async steps(count) {
      child.stdin!.write(`${count}\n`);
      return JSON.parse(await nextLine()) as number[];
    },
    stop: () => void child.kill(),
  };
}
