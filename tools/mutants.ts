/** `npm run mutants [-- TEXT]`: breaks the float64 adapter in every small way and counts what the conformance cases notice.
 *  With TEXT, only the mutants whose id contains it. */
import { availableParallelism } from "node:os";
import { everyMutant, runMutants } from "./mutants/run-mutants.js";
import { survivors } from "./mutants/survivors.js";

const [filter = ""] = process.argv.slice(2);
const mutants = everyMutant().filter(({ id }) => id.includes(filter));
const start = performance.now();
const outcomes = await runMutants(mutants, availableParallelism(), 120, (_, done) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${mutants.length} `);
});
const seconds = ((performance.now() - start) / 1000).toFixed(0);
const alive = outcomes.filter(({ noticedBy }) => noticedBy === undefined).map(({ id }) => id);
const reasons = new Map(survivors.flatMap(({ why, mutants: ids }) => ids.map((id) => [id, why])));
const unexplained = alive.filter((id) => !reasons.has(id));
for (const id of alive)
  console.log(
    `${reasons.has(id) ? "survives" : "SURVIVES"} ${id}\n    ${reasons.get(id) ?? "no reason is known"}`,
  );
const noticed = outcomes.length - alive.length;
const share = (100 * noticed) / outcomes.length;
console.log(
  `${outcomes.length} mutants in ${seconds} s: ${noticed} noticed (${share.toFixed(1)} %), ` +
    `${alive.length - unexplained.length} survive for a reason, ${unexplained.length} without.`,
);
const stale = [...reasons.keys()].filter((id) => id.includes(filter) && !alive.includes(id));
for (const id of stale) console.log(`listed as a survivor, but is none: ${id}`);
process.exitCode = unexplained.length + stale.length === 0 ? 0 : 1;
