import { lastWords, runProgram } from "./run-program.js";
import { setupError } from "./setup-error.js";

/** The Python whose pip fetches and whose zipfile unpacks.
 *  @throws LejepaError "no-python", "no-pip" */
export async function findPython(signal: AbortSignal): Promise<string> {
  const found: string[] = [];
  for (const name of ["python3", "python"]) {
    if ((await runProgram(name, ["--version"], signal))?.code !== 0) continue;
    found.push(name);
    if ((await runProgram(name, ["-m", "pip", "--version"], signal))?.code === 0) return name;
  }
  throw found.length === 0
    ? setupError(
        "no-python",
        "setup: no python3 on the PATH, and its pip is what fetches TensorFlow; install Python 3 with pip (Debian: apt-get install python3-pip), or name an existing library by --from DIR.",
      )
    : setupError(
        "no-pip",
        `setup: ${found[0]} has no pip, which is what fetches TensorFlow; install it (Debian: apt-get install python3-pip; elsewhere: ${found[0]} -m ensurepip).`,
      );
}

/** A compiler of C++: `CXX` if that is set, else g++, clang++ or c++.
 *  @throws LejepaError "no-compiler" */
export async function findCompiler(signal: AbortSignal): Promise<string> {
  const named = process.env.CXX;
  const names = named !== undefined && named !== "" ? [named] : ["g++", "clang++", "c++"];
  for (const name of names)
    if ((await runProgram(name, ["--version"], signal))?.code === 0) return name;
  throw setupError(
    "no-compiler",
    `setup: no compiler of C++ on the PATH (${names.join(", ")}), and tfjs-node's addon has to be compiled; install one (Debian: apt-get install g++).`,
  );
}

/** Lowest driver that CUDA 12 runs on. */
const lowestDriver = "525.60.13";

/** Refuses a machine that has no driver for CUDA 12.
 *  @throws LejepaError "no-cuda-driver" */
export async function checkCudaDriver(signal: AbortSignal): Promise<void> {
  const query = ["--query-gpu=driver_version", "--format=csv,noheader"];
  const end = await runProgram("nvidia-smi", query, signal);
  if (end === undefined)
    throw setupError(
      "no-cuda-driver",
      "setup: no NVIDIA driver here (nvidia-smi is not on the PATH); install the driver first, or leave out --gpu.",
    );
  if (end.code !== 0)
    throw setupError(
      "no-cuda-driver",
      `setup: the NVIDIA driver does not answer (nvidia-smi: ${lastWords(end)}); repair the driver, or leave out --gpu.`,
    );
  const version = end.stdout.trim().split("\n")[0]!.trim();
  if (!(version.localeCompare(lowestDriver, undefined, { numeric: true }) >= 0))
    throw setupError(
      "no-cuda-driver",
      `setup: CUDA 12 needs NVIDIA's driver ${lowestDriver} or later, and this is ${version}; update the driver, or leave out --gpu.`,
    );
}
