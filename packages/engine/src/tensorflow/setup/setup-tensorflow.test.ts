/** The setup with stand-ins for the programs that it calls, so that each can fail, hang or be missing. What makes a whole
 *  installation is the TensorFlow that `npm run setup:tensorflow` has made: those tests need it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeEach, describe, expect, test, vi, type TestContext } from "vitest";
import { needs } from "../../../../../tools/backends.js";
import {
  findTensorFlow,
  madeInstallations,
  type TensorFlowInstallation,
} from "../find-tensorflow.js";
import { fetchWheels } from "./fetch-wheels.js";
import { thisMachine, type Machine } from "./machine.js";
import {
  removeTensorFlow,
  setupOn,
  setupTensorFlow,
  type SetupOptions,
  type SetupProgress,
} from "./setup-tensorflow.js";
import { smokeTest } from "./smoke-test.js";
import { tensorFlowVersion, type Wheel } from "./wheels.js";

const run = promisify(execFile);
const realPath = process.env.PATH!;
const realDirectory = process.env.LEJEPA_TENSORFLOW_DIR;
const scratch = mkdtempSync(join(tmpdir(), "lejepa-setup-"));
const never = new AbortController().signal;
let base: string;
let bin: string;
let log: string;

beforeEach(() => {
  const home = mkdtempSync(join(scratch, "test-"));
  base = join(home, "tensorflow");
  bin = join(home, "bin");
  log = join(home, "log");
  mkdirSync(bin);
  writeFileSync(log, "");
  vi.stubEnv("LEJEPA_TENSORFLOW_DIR", base);
  vi.stubEnv("PATH", bin);
  vi.stubEnv("CXX", "");
  return () => vi.unstubAllEnvs();
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** Puts a shell script on the PATH that notes how it is called. */
function program(name: string, script: string): void {
  writeFileSync(
    join(bin, name),
    `#!/bin/sh\necho "${name} $*" | /usr/bin/head -1 >> ${log}\n${script}\n`,
  );
  chmodSync(join(bin, name), 0o755);
}

/** How the programs were called, in order. */
const calls = (): string[] => readFileSync(log, "utf8").split("\n").filter(Boolean);

const pythonWith = (download: string, unpack = "exit 1"): string => `
case "$*" in
  --version | "-m pip --version") exit 0 ;;
  "-m pip download"*)
    for argument; do case "$argument" in --dest=*) dest="\${argument#--dest=}" ;; esac; done
    ${download} ;;
  "-I -c"*) ${unpack} ;;
esac`;
const compilerWith = (compile: string): string =>
  `[ "$1" = --version ] && exit 0\nfor output; do :; done\nfolder="\${output%/*}"\n${compile}`;
const wheelName = `tensorflow_cpu-${tensorFlowVersion}-cp313-cp313-manylinux_2_27_x86_64.whl`;

/** A machine that lacks nothing. */
const machine: Machine = {
  ...thisMachine(),
  name: "linux-x64",
  glibc: "2.36",
  freeBytes: () => Promise.resolve(1e12),
};

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => "no error",
    (error: { name: string; code: string }) => `${error.name} ${error.code}`,
  );
const attempt = (changes: Partial<Machine> = {}, options: SetupOptions = {}): Promise<unknown> =>
  codeOf(setupOn({ ...machine, ...changes }, options, () => undefined));

describe("before anything is made, the setup refuses", () => {
  test.each<{ what: string; changes: Partial<Machine>; options?: SetupOptions; code: string }>([
    { what: "macOS", changes: { name: "darwin-arm64" }, code: "unsupported-platform" },
    { what: "Windows", changes: { name: "win32-x64" }, code: "unsupported-platform" },
    { what: "another processor", changes: { name: "linux-riscv64" }, code: "unsupported-platform" },
    { what: "musl", changes: { glibc: undefined }, code: "unsupported-platform" },
    { what: "an old glibc", changes: { glibc: "2.17" }, code: "unsupported-platform" },
    {
      what: "CUDA on a processor without it",
      changes: { name: "linux-arm64" },
      options: { kind: "gpu" },
      code: "unsupported-platform",
    },
    { what: "no tfjs-node", changes: { tfjsNode: undefined }, code: "no-tfjs-node" },
    { what: "no driver for a GPU", changes: {}, options: { kind: "gpu" }, code: "no-cuda-driver" },
    { what: "no compiler", changes: {}, code: "no-compiler" },
  ])("$what", async ({ changes, options, code }) => {
    expect(await attempt(changes, options)).toBe(`LejepaError ${code}`);
    expect(existsSync(base)).toBe(false);
  });

  test.each([
    { what: "does not answer", script: "echo 'NVIDIA-SMI has failed'; exit 9" },
    { what: "is too old", script: "echo 470.82.01" },
  ])("a driver that $what", async ({ script }) => {
    program("nvidia-smi", script);
    program("g++", compilerWith("exit 1"));
    expect(await attempt({}, { kind: "gpu" })).toBe("LejepaError no-cuda-driver");
  });

  test("but not a driver that CUDA 12 runs on", async () => {
    program("nvidia-smi", "echo 1000.10.01; echo 1000.10.01");
    expect(await attempt({}, { kind: "gpu" })).toBe("LejepaError no-compiler");
  });

  test("a compiler named by CXX that is not there, although g++ is", async () => {
    program("g++", compilerWith("exit 1"));
    vi.stubEnv("CXX", "g++-99");
    expect(await attempt()).toBe("LejepaError no-compiler");
  });
});

describe("a setup that fails leaves nothing that looks installed and says", () => {
  const pip = 'echo "made up" >&2; exit 1';
  test.each<{ code: string; python?: string; changes?: Partial<Machine> }>([
    { code: "no-python" },
    { code: "no-pip", python: '[ "$*" = --version ]' },
    {
      code: "disk-full",
      python: pythonWith(pip),
      // 274 MB fetched and 854 MB unpacked beside it are needed.
      changes: { freeBytes: () => Promise.resolve(1.12e9) },
    },
    { code: "disk-full", python: pythonWith("echo 'No space left on device' >&2; exit 1") },
    { code: "download-failed", python: pythonWith(pip) },
    { code: "download-failed", python: pythonWith("exit 0") },
    {
      code: "hash-mismatch",
      python: pythonWith(
        "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.' >&2; exit 1",
      ),
    },
    {
      code: "bad-archive",
      python: pythonWith(`echo > "$dest/${wheelName}"`, "echo 'zipfile.BadZipFile' >&2; exit 1"),
    },
    {
      code: "disk-full",
      python: pythonWith(
        `echo > "$dest/${wheelName}"`,
        "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
      ),
    },
    {
      code: "bad-library",
      python: pythonWith(`echo > "$dest/${wheelName}"`, "exit 0"),
    },
  ])("$code", async ({ code, python, changes }) => {
    program("g++", compilerWith("exit 1"));
    if (python !== undefined) program("python3", python);
    expect(await attempt(changes)).toBe(`LejepaError ${code}`);
    expect(await madeInstallations()).toEqual([]);
    expect(readdirSync(base).filter((name) => name !== "downloads")).toEqual([]);
  });
});

describe("an existing library", () => {
  const places = { "as TensorFlow's archive for C has it": "lib", "as Python has it": "" };
  const compiled = [
    { code: "compile-failed", compile: "echo 'tfjs_backend.cc:1: error: made up' >&2; exit 1" },
    { code: "smoke-test-failed", compile: 'echo "no addon" > "$output"' },
  ];

  test.each(
    Object.entries(places).flatMap(([layout, place]) =>
      compiled.map((how) => ({ ...how, layout, place })),
    ),
  )("$layout is compiled against: $code", async ({ code, compile, place }) => {
    program("g++", compilerWith(compile));
    const from = madeUpLibrary(place);
    expect(await attempt({}, { from })).toBe(`LejepaError ${code}`);
    const library = join(from, place, "libtensorflow_cc.so.2");
    expect(calls().at(-1)).toContain(`-I${join(from, "include")} `);
    expect(calls().at(-1)).toContain(` ${library} `);
    expect(calls().at(-1)).toContain(`-Wl,-rpath,${join(from, place)} `);
    expect(readdirSync(base)).toEqual([]);
    expect(existsSync(library)).toBe(true);
  });

  test.each(["include/tensorflow/c/c_api.h", "lib/libtensorflow_framework.so.2"])(
    "without %s is refused",
    async (file) => {
      program("g++", compilerWith("exit 1"));
      const from = madeUpLibrary("lib");
      rmSync(join(from, file));
      expect(await attempt({}, { from })).toBe("LejepaError bad-library");
    },
  );
});

describe("with everything there", () => {
  test("an installation is made, said in phases, found, and kept by a second run", async (context) => {
    await wholePrograms(context);
    const phases: string[] = [];
    const onProgress = ({ phase }: SetupProgress) => void phases.push(phase);
    const made = await setupTensorFlow({}, onProgress);
    expect(made).toMatchObject({
      status: "installed",
      kind: "cpu",
      version: tensorFlowVersion,
      source: "setup",
      from: [`tensorflow-cpu==${tensorFlowVersion}`],
    });
    expect([...new Set(phases)]).toEqual(["download", "unpack", "compile", "test"]);
    expect(readdirSync(base)).toEqual([`${tensorFlowVersion}-cpu`]);
    expect(readdirSync(made.directory).sort()).toEqual([
      "installation.json",
      "tensorflow",
      "tfjs_binding.node",
    ]);
    expect(readdirSync(join(made.directory, "tensorflow")).sort()).toEqual([
      "THIRD_PARTY_NOTICES.txt",
      "libtensorflow_cc.so.2",
      "libtensorflow_framework.so.2",
    ]);
    const { addon, directory } = (await findTensorFlow())!;
    expect({ addon, directory }).toEqual({ addon: made.addon, directory: made.directory });

    const before = calls();
    expect(await setupTensorFlow()).toEqual({ ...made, status: "kept" });
    expect(calls()).toEqual(before);
  });

  test("pip is asked for one wheel by its hash, with no dependencies and no cache", async (context) => {
    await wholePrograms(context);
    await setupTensorFlow();
    const download = calls().find((call) => call.startsWith("python3 -m pip download"))!;
    for (const flag of ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-cache-dir"])
      expect(download.split(" ")).toContain(flag);
  });

  test("what was fetched is kept for the next run when a later step fails", async (context) => {
    await wholePrograms(context);
    const compiler = readFileSync(join(bin, "g++"), "utf8");
    program("g++", compilerWith("exit 1"));
    expect(await codeOf(setupTensorFlow())).toBe("LejepaError compile-failed");
    const wheel = join(base, "downloads", wheelName);
    expect(existsSync(wheel)).toBe(true);
    expect(await madeInstallations()).toEqual([]);
    writeFileSync(join(bin, "g++"), compiler);
    expect(await setupTensorFlow()).toMatchObject({ status: "installed" });
    expect(existsSync(wheel)).toBe(false);
  });

  test("a damaged installation counts as none, and is made anew", async (context) => {
    await wholePrograms(context);
    const { addon } = await setupTensorFlow();
    const { size } = statSync(addon);
    truncateSync(addon, size - 1);
    expect(await madeInstallations()).toEqual([]);
    expect(await setupTensorFlow()).toMatchObject({ status: "installed" });
    expect(statSync(addon).size).toBe(size);
  });

  test("a whole one is made anew when asked, and one of another tfjs-node without being asked", async (context) => {
    await wholePrograms(context);
    const { directory } = await setupTensorFlow();
    expect(await setupTensorFlow({ existing: "replace" })).toMatchObject({ status: "installed" });
    const record = join(directory, "installation.json");
    writeFileSync(
      record,
      readFileSync(record, "utf8").replace(/"tfjsNode": "[^"]*"/, '"tfjsNode": "4.1.0"'),
    );
    expect(await setupTensorFlow()).toMatchObject({ status: "installed" });
    expect(await setupTensorFlow()).toMatchObject({ status: "kept" });
  });

  test("an existing library is linked to, kept by a second run, and missed when it is gone", async (context) => {
    const { link } = await wholePrograms(context);
    program("g++", compilerWith(`/bin/mkdir -p "$folder/tensorflow"\n${link}`));
    const from = madeUpLibrary("lib");
    const made = await setupTensorFlow({ from });
    expect(made).toMatchObject({ status: "installed", version: tensorFlowVersion, from });
    expect(await setupTensorFlow({ from })).toEqual({ ...made, status: "kept" });
    expect(calls().filter((call) => call.includes("pip download"))).toEqual([]);
    rmSync(join(from, "lib"), { recursive: true });
    expect(await madeInstallations()).toEqual([]);
  });

  test("removal takes away all that was made and fetched, and says how much", async (context) => {
    await wholePrograms(context);
    const { directory, bytes } = await setupTensorFlow();
    mkdirSync(join(base, "downloads"));
    writeFileSync(join(base, "another-file"), "");
    const removed = await removeTensorFlow();
    expect(removed.directories).toEqual([directory]);
    expect(removed.bytes).toBeGreaterThanOrEqual(bytes);
    expect(readdirSync(base)).toEqual(["another-file"]);
    expect(await madeInstallations()).toEqual([]);
    expect(await removeTensorFlow()).toEqual({ directories: [], bytes: 0 });
  });

  test("two runs at once make one installation", async (context) => {
    await wholePrograms(context);
    const both = await Promise.all([startSetup().ended, startSetup().ended]);
    const results = both.map(({ stdout }) => JSON.parse(stdout) as { status: string });
    expect(results.map(({ status }) => status).sort()).toEqual(["installed", "kept"]);
    expect(calls().filter((call) => call.includes("pip download"))).toHaveLength(1);
    expect(readdirSync(base)).toEqual([`${tensorFlowVersion}-cpu`]);
  });

  /** A stand-in that says that it was reached, then hangs; it has no child that could outlive it. */
  const hang = () => `echo $$ > ${log}.pid; exec /bin/sleep 600`;
  const stages: { stage: string; hangIn: (programs: WholePrograms) => void }[] = [
    {
      stage: "while it fetches",
      hangIn: () => program("python3", pythonWith(hang())),
    },
    {
      stage: "while it unpacks",
      hangIn: ({ download }) => program("python3", pythonWith(download, hang())),
    },
    { stage: "while it compiles", hangIn: () => program("g++", compilerWith(hang())) },
    {
      stage: "while it tries the addon",
      // The loader waits at the named pipe for somebody who writes.
      hangIn: () => program("g++", compilerWith(`/usr/bin/mkfifo "$output"; echo 0 > ${log}.pid`)),
    },
  ];

  test.for(stages)("an abort $stage leaves nothing half-made", async ({ hangIn }, context) => {
    const programs = await wholePrograms(context);
    const whole = savedPrograms();
    hangIn(programs);
    const controller = new AbortController();
    const reason = new Error("enough");
    const setup = setupTensorFlow({ signal: controller.signal });
    setup.catch(() => undefined);
    await reached();
    controller.abort(reason);
    await expect(setup).rejects.toBe(reason);
    expect(readdirSync(base).filter((name) => name !== "downloads")).toEqual([]);
    expect(await madeInstallations()).toEqual([]);
    whole.restore();
    expect(await setupTensorFlow()).toMatchObject({ status: "installed" });
  });

  test.for(stages)(
    "a kill $stage leaves nothing that looks installed",
    async ({ hangIn }, context) => {
      const programs = await wholePrograms(context);
      const whole = savedPrograms();
      hangIn(programs);
      const { child, ended } = startSetup();
      const pid = await reached();
      child.kill("SIGKILL");
      await ended.catch(() => undefined);
      if (pid > 0) process.kill(pid, "SIGKILL");
      else releasePipe();
      expect(await madeInstallations()).toEqual([]);
      whole.restore();
      expect(await setupTensorFlow()).toMatchObject({ status: "installed" });
      expect(readdirSync(base)).toEqual([`${tensorFlowVersion}-cpu`]);
    },
  );

  test("an abort while it waits for another run ends the waiting", async (context) => {
    await wholePrograms(context);
    const whole = savedPrograms();
    program("g++", compilerWith(hang()));
    const first = new AbortController();
    const second = new AbortController();
    const working = setupTensorFlow({ signal: first.signal });
    working.catch(() => undefined);
    await reached();
    const reason = new Error("enough");
    const waiting = setupTensorFlow({ signal: second.signal }, ({ phase }) => {
      if (phase === "wait") second.abort(reason);
    });
    await expect(waiting).rejects.toBe(reason);
    first.abort(reason);
    await expect(working).rejects.toBe(reason);
    whole.restore();
    expect(await setupTensorFlow()).toMatchObject({ status: "installed" });
  });

  interface WholePrograms {
    /** Script of a pip that succeeds. */
    readonly download: string;
    /** Script of a compiler that succeeds, where there is a folder for the libraries. */
    readonly link: string;
  }

  /** Stand-ins that make a whole installation out of the one that is set up here. */
  async function wholePrograms(context: TestContext): Promise<WholePrograms> {
    needs("tensorflow", context);
    const { directory } = await here();
    const which = (name: string) =>
      run("/usr/bin/env", ["which", name], { env: { ...process.env, PATH: realPath } });
    const python = (await which("python3")).stdout.trim();
    const wheel = join(bin, wheelName);
    const files = JSON.stringify([
      "include/tensorflow/c/c_api.h",
      "libtensorflow_cc.so.2",
      "libtensorflow_framework.so.2",
      "THIRD_PARTY_NOTICES.txt",
      "python/not_needed.py",
    ]);
    const zip = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name in json.loads(sys.argv[2]): wheel.writestr("tensorflow/" + name, "made up")`;
    await run(python, ["-c", zip, wheel, files], { env: { ...process.env, PATH: realPath } });
    const download = `/bin/cp ${wheel} "$dest/"`;
    const unpack = `PATH=${realPath} exec ${python} "$@"`;
    program("python3", pythonWith(download, unpack));
    // The libraries are large: the addon is that of the true installation, and they are links to it.
    const link = `for name in cc framework; do
      /bin/ln -sf ${directory}/tensorflow/libtensorflow_$name.so.2 "$folder/tensorflow/"
    done
    /bin/cp ${directory}/tfjs_binding.node "$output"`;
    program("g++", compilerWith(link));
    return { download, link };
  }

  function savedPrograms(): { restore(): void } {
    const saved = ["python3", "g++"].map((name) => ({
      path: join(bin, name),
      text: readFileSync(join(bin, name), "utf8"),
    }));
    return { restore: () => saved.forEach(({ path, text }) => writeFileSync(path, text)) };
  }

  /** Waits for a stand-in to hang, and gives its process id; 0 for one that is not ours to kill. */
  async function reached(): Promise<number> {
    const path = `${log}.pid`;
    while (!existsSync(path) || readFileSync(path, "utf8") === "") await pause(20);
    const pid = Number(readFileSync(path, "utf8"));
    if (pid === 0) await pause(300); // the addon's own process is about to start
    return pid;
  }

  /** Lets the process go that waits at the pipe in the addon's place. */
  function releasePipe(): void {
    const building = readdirSync(base).find((name) => name.startsWith(".building-"))!;
    const pipe = join(base, building, "tfjs_binding.node");
    closeSync(openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
  }

  function startSetup() {
    const root = join(import.meta.dirname, "../../../../..");
    const file = join(root, "packages/engine/test/programs/run-setup.ts");
    const child = spawn(process.execPath, ["--import", "tsx", file], {
      cwd: root,
      env: process.env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let stdout = "";
    child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
    return { child, ended: once(child, "close").then(() => ({ stdout })) };
  }
});

describe("the TensorFlow that is set up here", () => {
  test("multiplies matrices in a process of its own, and is not taken for one that sees a GPU", async (context) => {
    needs("tensorflow", context);
    const { addon, version } = await here();
    expect(await smokeTest(addon, "cpu", never)).toBe(version);
    if (!existsSync("/dev/nvidia0"))
      expect(await codeOf(smokeTest(addon, "gpu", never))).toBe("LejepaError smoke-test-failed");
  });
});

describe("pip", () => {
  const name = "lejepa-setup-test";
  test("takes a wheel whose hash is right once, and none whose hash is wrong", async (context) => {
    needs("tensorflow", context);
    vi.stubEnv("PATH", realPath);
    const index = mkdtempSync(join(scratch, "index-"));
    const file = join(index, `${name.replaceAll("-", "_")}-1.0-py3-none-any.whl`);
    const info = "lejepa_setup_test-1.0.dist-info";
    const zip = `
import hashlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("${info}/METADATA", "Metadata-Version: 2.1\\nName: ${name}\\nVersion: 1.0\\n")
    wheel.writestr("${info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("${info}/RECORD", "")
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())`;
    const sha256 = (await run("python3", ["-c", zip, file])).stdout.trim();
    vi.stubEnv("PIP_NO_INDEX", "1");
    vi.stubEnv("PIP_FIND_LINKS", index);
    const wheel: Wheel = { name, version: "1.0", sha256, bytes: 0, keeps: [], keptBytes: 0 };
    const downloads = join(index, "downloads");
    const fetching = {
      processor: "x86_64",
      python: "python3",
      downloads,
      scratch: index,
      signal: never,
      onBytes: () => undefined,
    };
    const [path] = await fetchWheels([wheel], fetching);
    const { ino } = statSync(path!);
    expect(await fetchWheels([wheel], fetching)).toEqual([path]);
    expect(statSync(path!).ino).toBe(ino);

    const wrong = { ...wheel, sha256: "0".repeat(64) };
    expect(await codeOf(fetchWheels([wrong], fetching))).toBe("LejepaError hash-mismatch");
    expect(existsSync(path!)).toBe(false);
  });
});

/** The installation of this machine, whatever folder a test has named. */
async function here(): Promise<TensorFlowInstallation> {
  const named = process.env.LEJEPA_TENSORFLOW_DIR;
  vi.stubEnv("LEJEPA_TENSORFLOW_DIR", realDirectory);
  const found = await findTensorFlow();
  vi.stubEnv("LEJEPA_TENSORFLOW_DIR", named);
  if (found?.source !== "setup") throw new Error("TensorFlow: run npm run setup:tensorflow.");
  return found;
}

/** Files of the names that an existing TensorFlow has; nothing is in them. */
function madeUpLibrary(place: string): string {
  const from = mkdtempSync(join(scratch, "library-"));
  mkdirSync(join(from, "include/tensorflow/c"), { recursive: true });
  mkdirSync(join(from, place), { recursive: true });
  writeFileSync(join(from, "include/tensorflow/c/c_api.h"), "");
  for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"])
    writeFileSync(join(from, place, name), "");
  return from;
}
