// Reads what anybody may read of a token, its form and its outer expiry, to refuse obvious mistakes
// early.

/** The readable part of a token. */
export interface TokenFacts {
  /** `03` or `04`. */
  form: "03" | "04";
  /** Unix seconds. */
  expiresAt_s: number;
}

/** The token's facts, or undefined when it cannot be a token of form 03 or 04. */
export function readToken(token: string): TokenFacts | undefined {
  const form = token.slice(0, 2);
  if (form !== "03" && form !== "04") return undefined;
  let binary: string;
  try {
    binary = atob(token.slice(2));
  } catch {
    return undefined; // Not base64.
  }
  // Expiry (8 bytes), length and IV (at least 2 + 12), length and ciphertext (at least 2 + 16).
  if (binary.length < 40) return undefined;
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const expiresAt_s = Number(new DataView(bytes.buffer).getBigInt64(0));
  return expiresAt_s > 0 ? { form, expiresAt_s } : undefined;
}
