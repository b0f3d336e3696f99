// Which video codec a publication offers.

/** What `videoCodec` may ask for; VP9 and AV1 are beyond the contract. */
export type VideoCodecName = "VP8" | "H264" | "H265" | "VP9" | "AV1";

/** The part of RTCRtpCodec that the choice looks at. */
export interface CodecLike {
  mimeType: string;
  sdpFmtpLine?: string;
}

/**
 * The codecs to offer: the wanted one with its retransmission, or undefined to leave the browser's
 * own order when it does not have it. One codec alone, so that the answer has no choice to make.
 */
export function chooseCodecs<Codec extends CodecLike>(
  capable: readonly Codec[],
  wanted: VideoCodecName,
): Codec[] | undefined {
  const mimeType = `video/${wanted.toLowerCase()}`;
  const found = capable.filter((codec) => codec.mimeType.toLowerCase() === mimeType);
  if (found.length === 0) return undefined;
  const retransmission = capable.filter((codec) => codec.mimeType.toLowerCase() === "video/rtx");
  return [...found, ...retransmission];
}

/** Puts the wanted codec on a transceiver that sends; the browser's order stays when it refuses. */
export function preferCodec(transceiver: RTCRtpTransceiver, wanted: VideoCodecName): void {
  if (typeof transceiver.setCodecPreferences !== "function") return; // Firefox before 128.
  const capabilities = RTCRtpSender.getCapabilities("video");
  const codecs = capabilities && chooseCodecs(capabilities.codecs, wanted);
  if (!codecs) return;
  try {
    transceiver.setCodecPreferences(codecs);
  } catch {
    // Some versions accept only what they can receive as well: their own order still has the codec.
  }
}
