// A peer of GStreamer: gstreamer/peer.py, over WHIP and WHEP.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PeerProcess } from "./peer_process.mjs";

const script = fileURLToPath(new URL("../gstreamer/peer.py", import.meta.url));

/** GStreamer and its Python come from Debian, and so does the Python that has them. */
const python = "/usr/bin/python3";

/** What peer.py cannot do without. */
const elements = [
  ..."webrtcbin nicesrc dtlsdec srtpdec opusenc decodebin avdec_h264 avdec_h265".split(" "),
  ..."h264parse h265parse x264enc x265enc vp8enc rtph264pay rtph265pay rtpvp8pay rtpopuspay".split(" "),
];

/** Why there is no GStreamer to test with; undefined when there is. */
export function missingGstreamer() {
  const program = [
    "import gi, sys",
    "gi.require_version('Gst', '1.0'); gi.require_version('GstWebRTC', '1.0')",
    "from gi.repository import Gst",
    "Gst.init(None)",
    "missing = [name for name in sys.argv[1:] if not Gst.ElementFactory.find(name)]",
    "sys.exit(', '.join(missing) or 0)",
  ].join("\n");
  const { error, status, stderr } = spawnSync(python, ["-c", program, ...elements]);
  if (error) return String(error);
  return status === 0 ? undefined : `GStreamer lacks: ${stderr}`;
}

/** A peer under way. */
export class GstreamerPeer extends PeerProcess {
  /**
   * Begins to `publish` or to `play` with one `video` codec, for `seconds`; `sets` says where its
   * parameter sets are, `in-band` or in `sdp` alone.
   */
  constructor(role, server, { streamID, userID, roomID, seconds = 60, video, sets = "in-band" }) {
    const args = {
      url: server.whipUrl(role, { roomID, streamID }),
      token: server.token(userID),
      address: "127.0.0.1",
      seconds,
      video,
      sets,
    };
    const list = Object.entries(args).flatMap(([key, value]) => [`--${key}`, String(value)]);
    super("GStreamer", python, [script, role, ...list]);
  }
}
