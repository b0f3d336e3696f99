// Builds dist/: one minified ES module, its source map and its declarations; holds it to its size.

import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The bundle may not be larger. */
const bundleBytesMax = 52 * 1024;

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
if (!readFileSync("src/version.ts", "utf8").includes(`version = "${version}"`)) {
  throw new Error(`src/version.ts does not say ${version}, as package.json does`);
}

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/odeum.ts"],
  outfile: "dist/odeum.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome94", "firefox93", "safari15.4"],
  sourcemap: true,
  banner: { js: `// Odeum SDK ${version}, Apache-2.0` },
});
execFileSync(
  process.execPath,
  [
    "node_modules/typescript/bin/tsc",
    "-p",
    "tsconfig.json",
    "--declaration",
    "--emitDeclarationOnly",
    "--outDir",
    "dist",
  ],
  { stdio: "inherit" },
);

const bytes = statSync("dist/odeum.js").size;
console.log(`dist/odeum.js: ${bytes} bytes of ${bundleBytesMax}`);
if (bytes > bundleBytesMax) throw new Error("the bundle is over its budget");
