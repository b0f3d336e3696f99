// A backend: signs calls of the Server API with its own code and sends them.

import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

/** The signature of version 2.0: MD5 of AppId, nonce, secret and timestamp, one after another. */
export function sign(appID, nonce, secret, timestamp_s) {
  return createHash("md5").update(`${appID}${nonce}${secret}${timestamp_s}`).digest("hex");
}

/** GET over HTTP or HTTPS, any certificate; resolves to `{ status, headers, text }`. */
export function get(url, headers = {}) {
  const request = url.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const call = request(url, { rejectUnauthorized: false, agent: false, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString("utf8"),
          certificate: response.socket?.getPeerCertificate?.(),
        }),
      );
    });
    call.on("error", reject);
    call.end();
  });
}

/** One app's backend. */
export class Backend {
  constructor({ origin, appID, secret }) {
    Object.assign(this, { origin, appID, secret });
  }

  /** The address of a signed call. A list becomes `Key[]=` once for each value. */
  url(action, parameters = {}, { nonce = randomBytes(8).toString("hex") } = {}) {
    const timestamp_s = Math.floor(Date.now() / 1000);
    const query = new URLSearchParams({
      Action: action,
      AppId: String(this.appID),
      SignatureNonce: nonce,
      Timestamp: String(timestamp_s),
      SignatureVersion: "2.0",
      Signature: sign(this.appID, nonce, this.secret, timestamp_s),
    });
    for (const [key, value] of Object.entries(parameters)) {
      if (Array.isArray(value)) for (const each of value) query.append(`${key}[]`, each);
      else query.append(key, value);
    }
    return `${this.origin}/?${query}`;
  }

  /** Calls and returns the reply's JSON. */
  async call(action, parameters = {}, options = {}) {
    const { status, text } = await get(this.url(action, parameters, options));
    if (status !== 200) throw new Error(`${action}: HTTP ${status}: ${text}`);
    return JSON.parse(text);
  }
}
