/** A wrong option or argument of a command: what is wrong, and how it is used. */
export class UsageError extends Error {}

/** An option that is a whole number, `command` named in what is said of a wrong one. */
export function wholeNumber(command: string, option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new UsageError(
      `${command}: --${option} takes a whole number of at least ${least}, got ${text}.`,
    );
  return value;
}

/** Runs a command to its end. A wrong use ends the process with status 2 and its message alone, any other error with 1;
 *  `parseArgs` of node:util tells of a wrong use in its own way. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    const isUsage =
      error instanceof UsageError ||
      String((error as { code?: string }).code).startsWith("ERR_PARSE");
    console.error(isUsage ? (error as Error).message : error);
    process.exitCode = isUsage ? 2 : 1;
  }
}
