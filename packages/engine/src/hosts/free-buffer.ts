/** A port that leads nowhere: what is sent there is let go of. */
const nowhere = (() => {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
})();

/** Frees the memory of an array now, where garbage collection would do so in its own time; the array has no elements
 *  then. Every result of onnxruntime-node is a new array: left to the collector, those of a step make it mark the whole
 *  heap once a step. */
export function freeBuffer(buffer: ArrayBuffer): void {
  nowhere.postMessage(undefined, [buffer]);
}
