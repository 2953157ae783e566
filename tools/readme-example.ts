import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Runs the example of a package's README as a program on the workspace's sources.
 *  `edit` may change it first, to point it at a folder of the test's own, say.
 *  @param testFolder the folder of the package's tests
 *  `after` is a line of the README below which the example stands; without it the first one is run.
 *  @returns what it printed, and what the README says that it prints */
export function runReadmeExample(
  testFolder: string,
  edit: (code: string) => string = (code) => code,
  after = "",
): { output: string; printed: string } {
  const readme = readFileSync(`${testFolder}/../README.md`, "utf8");
  const start = readme.indexOf(after);
  if (start < 0) throw new Error(`the README has no "${after}"`);
  const [, code, printed] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(readme.slice(start))!;
  const output = execFileSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", edit(code!)],
    {
      cwd: `${import.meta.dirname}/..`,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", FORCE_COLOR: "0" },
    },
  );
  return { output, printed: printed! };
}
