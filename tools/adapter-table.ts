/** `npx tsx tools/adapter-table.ts`: runs the conformance cases of the tensor contract on every adapter and backend and
 *  writes what they support to docs/adapters.md. */
import { writeFileSync } from "node:fs";
import { supportTable, supportTablePath, tryAdapters } from "./adapters/support-table.js";

const all = await tryAdapters();
writeFileSync(`${import.meta.dirname}/../${supportTablePath}`, await supportTable(all));
console.log(`${supportTablePath}: ${all.length} adapters run.`);
