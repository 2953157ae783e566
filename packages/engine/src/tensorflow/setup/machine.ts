import { statfs } from "node:fs/promises";
import { tfjsNodePackage, type TfjsNodePackage } from "../tfjs-node-package.js";
import { setupError } from "./setup-error.js";

/** What the setup has to know of the machine it runs on. */
export interface Machine {
  /** process.platform and process.arch with a hyphen between, as installations are labelled. */
  readonly name: string;
  /** The tfjs-node whose addon is compiled; undefined where it is not installed. */
  readonly tfjsNode: TfjsNodePackage | undefined;
  /** Version of glibc, "2.36"; undefined on a system without it. */
  readonly glibc: string | undefined;
  /** Bytes that the user may still write to the disk of a folder that is there. */
  freeBytes(folder: string): Promise<number>;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  // The report gathers all network interfaces otherwise, which can take seconds.
  const { report } = process;
  Object.assign(report, { excludeNetwork: true });
  const { header } = report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string };
  };
  return {
    name: `${process.platform}-${process.arch}`,
    tfjsNode: tfjsNodePackage("@tensorflow/tfjs-node"),
    glibc: header.glibcVersionRuntime,
    async freeBytes(folder) {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
  };
}

/** Refuses a system that the libraries and the addon are not built for.
 *  @throws LejepaError "unsupported-platform" */
export function checkSystem({ name, glibc }: Machine): void {
  if (!name.startsWith("linux-"))
    throw setupError(
      "unsupported-platform",
      `setup: TensorFlow is set up on Linux only, and this is ${name}; here, the install script of @tensorflow/tfjs-node may serve.`,
    );
  const [major = 0, minor = 0] = (glibc ?? "").split(".").map(Number);
  if (!(major > 2 || (major === 2 && minor >= 27)))
    throw setupError(
      "unsupported-platform",
      `setup: TensorFlow needs glibc 2.27 or later, and this system has ${glibc === undefined ? "another C library (musl?)" : glibc}; use a newer system, or a Debian-based image in place of an Alpine one.`,
    );
}

/** Refuses to begin what there is no room for.
 *  @throws LejepaError "disk-full" */
export async function checkSpace(machine: Machine, folder: string, bytes: number): Promise<void> {
  const free = await machine.freeBytes(folder);
  if (!(free >= bytes))
    throw setupError(
      "disk-full",
      `setup: ${inMegabytes(bytes)} are needed in ${folder} while it works, and ${inMegabytes(free)} are free; make room, or name another folder by LEJEPA_TENSORFLOW_DIR.`,
    );
}

/** 274271560 -> "274 MB" */
const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
