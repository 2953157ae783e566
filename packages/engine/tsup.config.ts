import { defineConfig } from "tsup";
import { packageBuild } from "../../tools/package-build.js";

export default defineConfig(packageBuild(import.meta.dirname, ["hosts/host-worker"]));
