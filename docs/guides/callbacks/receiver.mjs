// A receiver for Odeum's callbacks: Node 20 or later, nothing to install. docs/guides/callbacks.md
// explains it.
//
//   ODEUM_CALLBACK_SECRET=… PORT=8080 node receiver.mjs
//
// It listens on loopback: put the proxy that speaks TLS in front of it. It prints each event as one
// line of JSON.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

/** How far a callback's time may be off this machine's clock, in seconds. */
const TIME_OFF_MAX_S = 5 * 60;
/** The largest body that is read, in bytes. */
const BODY_BYTES_MAX = 64 * 1024;
/** Callbacks remembered, so that none is handled twice; beyond it the oldest is forgotten. */
const SEEN_MAX = 100_000;

/** The event in `body`, the bytes as they came; undefined when a signature or the time is wrong. */
function check(secret, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures } = headers;
  if (!id || !time || !signatures) return undefined;
  const off_s = Math.abs(Date.now() / 1000 - Number(time));
  if (!(off_s <= TIME_OFF_MAX_S)) return undefined; // also when it is no number

  // The headers' signature covers every byte of the body.
  const hmac = createHmac("sha256", secret).update(`${id}.${time}.`).update(body).digest("base64");
  if (!signatures.split(" ").some((each) => isSame(each, `v1,${hmac}`))) return undefined;

  // The body's own signature covers its time and nonce.
  try {
    const event = JSON.parse(body.toString("utf8"));
    const parts = [secret, String(event.timestamp), event.nonce].map((part) => Buffer.from(part));
    const sha1 = createHash("sha1")
      .update(Buffer.concat(parts.sort(Buffer.compare)))
      .digest("hex");
    return isSame(event.signature, sha1) ? event : undefined;
  } catch {
    return undefined; // no JSON, or a field is missing
  }
}

/** Compares in a time that does not tell where two texts differ. */
function isSame(given, expected) {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What a callback is for. Yours would write to a database, in one transaction with the id. */
function handle(event, id, late) {
  const { event: name, room_id } = event;
  console.log(JSON.stringify({ event: name, room_id, webhook_id: id, late }));
}

/** The ids of callbacks that were handled, the oldest first. */
const seen = new Set();

/** Answers one request: the status of the answer. */
async function receive(request) {
  const length = request.headers["content-length"];
  if (length === undefined) return 411;
  if (Number(length) > BODY_BYTES_MAX) return 413;
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const event = check(secret, request.headers, Buffer.concat(chunks));
  if (!event) return 401;

  // A callback that comes again is answered like the first time, so that it stops coming.
  const id = request.headers["webhook-id"];
  if (seen.has(id)) return 200;
  handle(event, id, request.headers["odeum-late"] === "1");
  seen.add(id);
  if (seen.size > SEEN_MAX) seen.delete(seen.values().next().value);
  return 200;
}

const secret = process.env.ODEUM_CALLBACK_SECRET;
if (!secret) {
  console.error("set ODEUM_CALLBACK_SECRET to the app's callback_secret");
  process.exit(2);
}
const server = createServer(async (request, response) => {
  // A status that is not 2xx, or none, makes the server send the callback again.
  const status = await receive(request).catch(() => 500);
  response.writeHead(status).end();
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.error(`listening on 127.0.0.1:${server.address().port}`);
});
