// Starts host-worker.ts when this package runs from its sources (tests, tsx): a worker thread of
// Node 20 does not take over the module hooks of its parent. The build needs and has no such file.
import { register } from "tsx/esm/api";

register();
await import("./host-worker.ts");
