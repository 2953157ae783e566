// Starts mutant-worker.ts: a worker thread of Node 20 does not take over the module hooks of its parent.
import { register } from "tsx/esm/api";

register();
await import("./mutant-worker.ts");
