// Client tokens of form 04 in their GCM form, made from the contract's description and nothing
// else.

import { createCipheriv, randomBytes, randomInt } from "node:crypto";

/** A token for `userID`. `payload` is the JSON text of rights, empty for all. */
export function makeToken({ appID, secret, userID, lifetime_s = 3600, payload = "" }) {
  const now_s = Math.floor(Date.now() / 1000);
  const expire = now_s + lifetime_s;
  const facts = {
    app_id: appID,
    user_id: userID,
    nonce: randomInt(2 ** 31),
    ctime: now_s,
    expire,
    payload,
  };
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(secret, "utf8"), nonce);
  const text = Buffer.concat([
    cipher.update(JSON.stringify(facts), "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  const head = Buffer.alloc(8);
  head.writeBigInt64BE(BigInt(expire));
  const gcm = Buffer.from([1]);
  return `04${Buffer.concat([head, sized(nonce), sized(text), gcm]).toString("base64")}`;
}

function sized(bytes) {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
