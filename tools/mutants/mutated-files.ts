/** What the reference adapter is made of. */
export const mutatedFolder = `${import.meta.dirname}/../../packages/tensor/src`;
export const mutatedFiles: readonly string[] = ["float64.ts", "shapes.ts", "error.ts"];
