// What an offer says of Opus. Browsers have no API for it: they take it from SDP alone.

/**
 * Adds parameters (`name=value`, RFC 7587, section 6.1) to those of Opus, but for names that are
 * there already.
 */
export function withOpus(sdp: string, parameters: readonly string[]): string {
  const payloadType = /^a=rtpmap:(\d+) opus\/48000\/2/im.exec(sdp)?.[1];
  return sdp.replace(new RegExp(`^a=fmtp:${payloadType} .*$`, "m"), (line) =>
    parameters.reduce((said, parameter) => {
      const name = parameter.slice(0, parameter.indexOf("=") + 1);
      const isSaid = said.split(/[ ;]/).some((each) => each.startsWith(name));
      return isSaid ? said : `${said};${parameter}`;
    }, line),
  );
}
