import { LejepaError, said } from "@lejepa/ops";
import type { TrainConfig } from "../config.js";
import { methodDefaults } from "./method-defaults.js";
import { mnistPreset } from "./mnist.js";

/** Name of a preset. */
export type PresetName = "mnist";

/** Settings found for a kind of images, by the name of the source that has them. */
const presets: Readonly<Record<PresetName, Omit<TrainConfig, "source">>> = { mnist: mnistPreset };

/** The names of all presets. */
export const presetNames = Object.keys(presets) as readonly PresetName[];

/** What a config is completed from: the preset named, else that of the source, else only what does not depend on the
 *  images. Throws LejepaError "invalid-config" for a name that there is not. */
export function presetOf(
  source: string,
  named: string | undefined,
): Partial<Omit<TrainConfig, "source">> {
  const name: unknown = named === undefined ? source : named;
  if (typeof name === "string" && Object.hasOwn(presets, name)) return presets[name as PresetName];
  if (named === undefined) return methodDefaults;
  throw new LejepaError(
    "invalid-config",
    `config: preset should be one of ${presetNames.join(", ")}, got ${said(named)}.`,
  );
}
