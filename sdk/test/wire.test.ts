// The generated wire types against the protocol's source, and against what the SDK handles.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { clientMessageTypes, noticeTypes, replyTypes, VERSION } from "../src/wire.ts";

const rust = readFileSync("../crates/proto/src/signal.rs", "utf8");
const tagsOf = (name: string): string[] => {
  const body = new RegExp(`pub enum ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(rust)?.[1] ?? "";
  return [...body.matchAll(/^ {4}([A-Z][A-Za-z]+)/gm)].map(([, tag]) =>
    (tag ?? "").replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase(),
  );
};

test("every message type of the protocol is known", () => {
  assert.deepEqual([...clientMessageTypes], tagsOf("ClientMessage"));
  assert.deepEqual([...replyTypes], tagsOf("Reply"));
  assert.deepEqual([...noticeTypes], tagsOf("Notice"));
  assert.ok(rust.includes(`pub const VERSION: u32 = ${VERSION};`));
});

test("wire.ts is what the generator makes of the protocol", () => {
  execFileSync(process.execPath, ["scripts/gen_wire.mjs", "--check"], { stdio: "pipe" });
});
