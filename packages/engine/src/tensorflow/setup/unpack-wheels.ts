import { lastWords, runProgram } from "./run-program.js";
import { setupError } from "./setup-error.js";
import type { Wheel } from "./wheels.js";

/** Argument 1 is JSON: { into, archives: [{ path, keeps }] }. zipfile checks each file's CRC and never writes outside. */
const unpackProgram = `
import json, os, sys, zipfile
task = json.loads(sys.argv[1])
for archive in task["archives"]:
    with zipfile.ZipFile(archive["path"]) as wheel:
        for entry in wheel.infolist():
            if not entry.is_dir() and entry.filename.startswith(tuple(archive["keeps"])):
                path = wheel.extract(entry, task["into"])
                if entry.external_attr >> 16 & 0o111:
                    os.chmod(path, 0o755)
`;

/** Takes out of each wheel what is kept of it.
 *  @throws LejepaError "bad-archive", "disk-full" */
export async function unpackWheels(
  wheels: readonly Wheel[],
  paths: readonly string[],
  { python, into, signal }: { python: string; into: string; signal: AbortSignal },
): Promise<void> {
  const archives = wheels.map(({ keeps }, index) => ({ path: paths[index]!, keeps }));
  const task = JSON.stringify({ into, archives });
  const end = await runProgram(python, ["-I", "-c", unpackProgram, task], signal);
  if (end?.code === 0) return;
  const said = end === undefined ? "Python is gone" : lastWords(end);
  throw /No space left on device/i.test(said)
    ? setupError(
        "disk-full",
        `setup: the disk of ${into} is full; make room, or name another folder by LEJEPA_TENSORFLOW_DIR.`,
      )
    : setupError("bad-archive", `setup: what was fetched does not unpack (${said}); run it again.`);
}
