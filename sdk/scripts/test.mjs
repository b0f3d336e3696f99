// Bundles the tests for Node, which cannot read TypeScript by itself everywhere, and runs them.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const outdir = "node_modules/.cache/odeum-tests";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: readdirSync("test")
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`),
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
});
const files = readdirSync(outdir)
  .filter((name) => name.endsWith(".mjs"))
  .map((name) => `${outdir}/${name}`);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], {
  stdio: "inherit",
});
process.exit(status ?? 1);
