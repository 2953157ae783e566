import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderBytes } from "./folder-bytes.js";
import { lastWords, runProgram } from "./run-program.js";
import { setupError } from "./setup-error.js";
import { wheelTags, type Wheel } from "./wheels.js";

/** Where wheels are fetched to and by what. */
export interface Fetching {
  /** As wheels name it: "x86_64", "aarch64". */
  readonly processor: string;
  /** Python that the wheels are for, as pip names it; {@link wheelTags} when left out. */
  readonly tags?: { readonly python: string; readonly abi: string };
  readonly python: string;
  /** Folder that keeps what was fetched until the installation is made: the next run after a broken one goes on. */
  readonly downloads: string;
  /** Folder for pip's own temporary files. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Told the bytes on disk so far, now and then. */
  readonly onBytes: (bytes: number) => void;
}

/** Fetches wheels with pip, which checks the hash of each, also of one that lies there already.
 *
 *  pip's own settings hold (a mirror, a proxy, certificates): with hashes it does not matter where the bytes come from.
 *  @returns the paths of the wheels, in order
 *  @throws LejepaError "download-failed", "hash-mismatch", "disk-full" */
export async function fetchWheels(
  wheels: readonly Wheel[],
  { processor, tags = wheelTags, python, downloads, scratch, signal, onBytes }: Fetching,
): Promise<string[]> {
  await mkdir(downloads, { recursive: true });
  const requirements = join(scratch, "requirements.txt");
  await writeFile(
    requirements,
    wheels
      .map(({ name, version, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`)
      .join(""),
  );
  const platforms = wheelTags.platforms(processor);
  const args = [
    ...["-m", "pip", "download", "--require-hashes", "--no-deps", "--only-binary=:all:"],
    ...["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"],
    ...["--implementation=cp", `--python-version=${tags.python}`, `--abi=${tags.abi}`],
    ...platforms.map((platform) => `--platform=${platform}`),
    ...[`--dest=${downloads}`, `--requirement=${requirements}`],
  ];
  // Nothing is installed into an environment, so a rule that asks for a virtual one has no say.
  const env = { ...process.env, TMPDIR: scratch, PIP_REQUIRE_VIRTUALENV: "0" };
  const watch = setInterval(() => {
    Promise.all([folderBytes(downloads), folderBytes(scratch)]).then(
      ([kept, arriving]) => onBytes(kept + arriving),
      () => undefined, // a file went away while it was counted
    );
  }, 500);
  const end = await runProgram(python, args, signal, env).finally(() => clearInterval(watch));
  if (end?.code !== 0) {
    const said = end === undefined ? "it is gone" : lastWords(end);
    const all = `${end?.stdout}\n${end?.stderr}`;
    if (/do not match the hashes/i.test(all))
      throw setupError(
        "hash-mismatch",
        "setup: pip fetched a package that is not the one that was published (its SHA-256 differs), and threw it away; check the index or mirror that pip is set to, and try again.",
      );
    if (/No space left on device/i.test(all))
      throw setupError(
        "disk-full",
        `setup: the disk of ${downloads} is full; make room, or name another folder by LEJEPA_TENSORFLOW_DIR.`,
      );
    throw setupError(
      "download-failed",
      `setup: pip could not fetch ${wheels.map(({ name }) => name).join(", ")} (${said}); check the network and pip's settings, then run it again: what was fetched is kept.`,
    );
  }
  const files = await readdir(downloads);
  const paths: string[] = [];
  for (const { name, version } of wheels) {
    const file = files.find((entry) =>
      entry.startsWith(`${name.replaceAll("-", "_")}-${version}-`),
    );
    if (file === undefined)
      throw setupError(
        "download-failed",
        `setup: pip said that it fetched ${name} ${version}, but it is not in ${downloads}; run it again.`,
      );
    paths.push(join(downloads, file));
  }
  return paths;
}
