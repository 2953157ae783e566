import { readFileSync } from "node:fs";
import type { Options } from "tsup";

/** The tsup options of every package: one ESM entry for each file of `dist` that its exports name, and one for each
 *  further module, which its program or a worker thread starts from. */
export function packageBuild(packageFolder: string, further: readonly string[] = []): Options {
  const manifest = JSON.parse(readFileSync(`${packageFolder}/package.json`, "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  const files = Object.values(manifest.exports)
    .map((target) => (typeof target === "string" ? target : target.default))
    .filter((file) => file.endsWith(".js"));
  return {
    entry: files
      .concat(further.map((name) => `./dist/${name}.js`))
      .map((file) => file.replace("./dist/", "src/").replace(/\.js$/, ".ts")),
    format: "esm",
    target: "es2022",
    platform: "node",
    tsconfig: "../../tsconfig.build.json",
    dts: true,
    sourcemap: true,
    splitting: true,
    clean: false,
    // node:test has no other name.
    removeNodeProtocol: false,
  };
}
