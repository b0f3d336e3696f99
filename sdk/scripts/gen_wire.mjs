// Makes src/wire.ts from crates/proto/src/signal.rs, so that the protocol is written down once.
//
// It reads the small part of Rust that the file uses: structs with named fields, serde's tagged and
// untagged enums, unit enums and the constants of `close_code`. Anything else stops it with an
// error.
//
//   node scripts/gen_wire.mjs           writes src/wire.ts
//   node scripts/gen_wire.mjs --check   fails when src/wire.ts is not what the protocol says

import { readFileSync, writeFileSync } from "node:fs";

const sourceUrl = new URL("../../crates/proto/src/signal.rs", import.meta.url);
const targetUrl = new URL("../src/wire.ts", import.meta.url);

const scalars = new Map([
  ["String", "string"],
  ["bool", "boolean"],
  ["u8", "number"],
  ["u16", "number"],
  ["u32", "number"],
  ["u64", "number"],
]);

/** The TypeScript type of a Rust type. */
function typeOf(rust) {
  const scalar = scalars.get(rust);
  if (scalar) return scalar;
  const vec = /^Vec<(.+)>$/.exec(rust);
  if (vec) return `${typeOf(vec[1])}[]`;
  const option = /^Option<(.+)>$/.exec(rust);
  if (option) return typeOf(option[1]);
  if (/^[A-Z][A-Za-z]*$/.test(rust)) return rust;
  throw new Error(`signal.rs has a type that gen_wire.mjs does not know: ${rust}`);
}

const snake = (name) => name.replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();

/** Splits a body into entries of doc lines, attributes and one item, at nesting depth 0. */
function entriesOf(body) {
  const entries = [];
  let docs = [];
  let attributes = [];
  let item = "";
  let depth = 0;
  for (const line of body.split("\n")) {
    const text = line.trim();
    if (text === "") continue;
    if (depth === 0 && item === "" && text.startsWith("///")) docs.push(text.slice(3).trim());
    else if (depth === 0 && item === "" && text.startsWith("#[")) attributes.push(text);
    else {
      item += (item ? "\n" : "") + text;
      depth += (text.match(/[{(]/g) ?? []).length - (text.match(/[})]/g) ?? []).length;
      if (depth === 0 && text.endsWith(",")) {
        entries.push({ docs, attributes: attributes.join(" "), item: item.slice(0, -1) });
        [docs, attributes, item] = [[], [], ""];
      }
    }
  }
  if (item !== "") throw new Error(`signal.rs has an entry without an end: ${item}`);
  return entries;
}

const docLines = (docs, indent) =>
  docs.length === 0
    ? ""
    : docs.length === 1
      ? `${indent}/** ${plain(docs[0])} */\n`
      : `${indent}/**\n${docs.map((line) => starred(line, indent)).join("")}${indent} */\n`;

const starred = (line, indent) => `${`${indent} * ${plain(line)}`.trimEnd()}\n`;

const plain = (line) => line.replace(/\[(`[^`]+`)\]/g, "$1");

/** One field; `sent` says whether the client writes it, so that defaults may be left out. */
function field({ docs, attributes, item }, sent, indent) {
  const match = /^(?:pub )?([a-z_0-9]+): (.+)$/s.exec(item);
  if (!match) throw new Error(`signal.rs has a field that gen_wire.mjs cannot read: ${item}`);
  let name = match[1];
  const rename = /rename = "([^"]+)"/.exec(attributes);
  if (rename) name = rename[1];
  if (/flatten/.test(attributes)) return { flatten: typeOf(match[2]) };
  const optional = /skip_serializing_if/.test(attributes) || (sent && /default/.test(attributes));
  return {
    text: `${docLines(docs, indent)}${indent}${name}${optional ? "?" : ""}: ${typeOf(match[2])};\n`,
  };
}

/** The names of the structs that the client sends. */
function sentStructs(source) {
  const body = /pub enum ClientMessage \{\n([\s\S]*?)\n\}/.exec(source)[1];
  return new Set(
    [...body.matchAll(/[A-Z][A-Za-z]*\(([A-Z][A-Za-z]*)\)/g)].map((match) => match[1]),
  );
}

function structText({ name, docs, body }, sent) {
  const fields = entriesOf(body).map((entry) => field(entry, sent.has(name), "  "));
  const flat = fields.filter((each) => each.flatten).map((each) => each.flatten);
  const text = `{\n${fields.map((each) => each.text ?? "").join("")}}`;
  return flat.length > 0
    ? `${docLines(docs, "")}export type ${name} = ${text} & ${flat.join(" & ")};\n`
    : `${docLines(docs, "")}export interface ${name} ${text}\n`;
}

function taggedText({ name, docs, body }) {
  const tags = [];
  const members = entriesOf(body).map((entry) => {
    const variant = /^([A-Z][A-Za-z]*)/.exec(entry.item)[1];
    tags.push(snake(variant));
    const newtype = /^[A-Za-z]+\(([A-Za-z]+)\)$/.exec(entry.item);
    const head = `  | `;
    const start = `${docLines(entry.docs, "  ")}${head}`;
    if (newtype) return `${start}({ type: "${snake(variant)}" } & ${newtype[1]})\n`;
    const inner = /\{\n([\s\S]*)\n\}$/.exec(entry.item)[1];
    const fields = entriesOf(inner).map((each) => field(each, false, "      ").text);
    return `${start}{\n      type: "${snake(variant)}";\n${fields.join("")}    }\n`;
  });
  const list =
    `/** Every \`type\` of ${name}. */\nexport const ${name[0].toLowerCase()}${name.slice(1)}Types = [\n` +
    `${tags.map((tag) => `  "${tag}",\n`).join("")}] as const;\n`;
  return `${docLines(docs, "")}export type ${name} =\n${members.join("").trimEnd()};\n\n${list}`;
}

function enumText(found) {
  const { name, docs, body, attributes } = found;
  if (/tag = "type"/.test(attributes)) return taggedText(found);
  const entries = entriesOf(body);
  if (/untagged/.test(attributes)) {
    const types = entries.map((entry) => /\(([A-Za-z]+)\)$/.exec(entry.item)[1]);
    return `${docLines(docs, "")}export type ${name} = ${types.join(" | ")};\n`;
  }
  const screaming = /SCREAMING_SNAKE_CASE/.test(attributes);
  const words = entries.map((entry) => {
    const rename = /rename = "([^"]+)"/.exec(entry.attributes);
    return rename ? rename[1] : screaming ? snake(entry.item).toUpperCase() : entry.item;
  });
  const union = words.map((word) => `"${word}"`).join(" | ");
  return `${docLines(docs, "")}export type ${name} = ${union};\n`;
}

function generate(rust) {
  const source = rust.slice(0, rust.indexOf("#[cfg(test)]"));
  const version = /pub const VERSION: u32 = (\d+);/.exec(source)[1];
  const sent = sentStructs(source);
  const parts = [
    "// The shapes of the signalling protocol, made from crates/proto/src/signal.rs by `npm run gen`: do not edit.\n",
    `/** The protocol version that these shapes describe. */\nexport const VERSION = ${version};\n`,
  ];
  const item =
    /((?:\/\/\/[^\n]*\n)+)((?:#\[[^\n]*\]\n)*)pub (struct|enum) ([A-Za-z]+) \{\n([\s\S]*?)\n\}\n/g;
  for (const [, docs, attributes, kind, name, body] of source.matchAll(item)) {
    const found = {
      name,
      attributes,
      body,
      docs: docs
        .trim()
        .split("\n")
        .map((line) => line.slice(3).trim()),
    };
    parts.push(kind === "struct" ? structText(found, sent) : enumText(found));
  }
  const codes = /\/\/\/ ([^\n]*)\npub mod close_code \{\n([\s\S]*?)\n\}/.exec(source);
  const constants = [
    ...codes[2].matchAll(/\/\/\/ ([^\n]*)\n\s*pub const ([A-Z_]+): u16 = (\d+);/g),
  ];
  parts.push(
    `/** ${codes[1]} */\nexport const CloseCode = {\n${constants
      .map(([, doc, name, code]) => `  /** ${doc} */\n  ${name}: ${code},\n`)
      .join("")}} as const;\n`,
  );
  return parts.join("\n");
}

const text = generate(readFileSync(sourceUrl, "utf8"));
if (process.argv.includes("--check")) {
  if (readFileSync(targetUrl, "utf8") !== text) {
    console.error(
      "sdk/src/wire.ts is not what crates/proto/src/signal.rs says: run `npm run gen` in sdk/",
    );
    process.exit(1);
  }
} else writeFileSync(targetUrl, text);
