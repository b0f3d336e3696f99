// The header extension that a player of AV1 in spatial layers needs and no browser offers unasked.

/** Says of each packet's frame which others it needs. */
const dependencyDescriptor =
  "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/** What TypeScript's DOM does not have yet of RTCRtpTransceiver. */
interface Negotiating {
  getHeaderExtensionsToNegotiate?(): { uri: string; direction: string }[];
  setHeaderExtensionsToNegotiate?(extensions: { uri: string; direction: string }[]): void;
}

/**
 * Offers dependency descriptors on a transceiver that receives video. The server gives them with
 * AV1 in layers only; where a browser cannot offer them, it gives the smallest spatial layer.
 */
export function offerDependencyDescriptor(transceiver: RTCRtpTransceiver): void {
  const negotiating = transceiver as Negotiating;
  const extensions = negotiating.getHeaderExtensionsToNegotiate?.();
  const found = extensions?.find(({ uri }) => uri === dependencyDescriptor);
  if (extensions === undefined || found === undefined) return;
  found.direction = "sendrecv";
  try {
    negotiating.setHeaderExtensionsToNegotiate?.(extensions);
  } catch {
    // A browser that knows it and will not offer it plays without.
  }
}
