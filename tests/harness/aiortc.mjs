// A peer of another WebRTC stack: aiortc/peer.py, over public signalling like everybody, or
// aiortc/whip.py, over WHIP and WHEP.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PeerProcess } from "./peer_process.mjs";
import { appID } from "./server.mjs";

const [script, whipScript] = ["peer.py", "whip.py"].map((name) =>
  fileURLToPath(new URL(`../aiortc/${name}`, import.meta.url)),
);
const installed = fileURLToPath(new URL("../../target/aiortc/bin/python", import.meta.url));

/** A Python with aiortc: ODEUM_PYTHON, else that of `scripts/venv.sh aiortc`; undefined without. */
export function findPython() {
  const found = process.env.ODEUM_PYTHON || installed;
  const has = existsSync(found) && spawnSync(found, ["-c", "import aiortc"]).status === 0;
  return has ? found : undefined;
}

/** A peer under way, over signalling. */
export class AiortcPeer extends PeerProcess {
  /**
   * Begins to `publish` or to `play`, for `seconds`. `video` is the only video codec that it
   * offers, `more` are options of peer.py.
   */
  constructor(role, server, options) {
    const { streamID, userID, roomID = "room", seconds = 60, video, more = [] } = options;
    const args = {
      url: server.signalUrl(),
      "app-id": appID,
      room: roomID,
      user: userID,
      stream: streamID,
      token: server.token(userID),
      seconds,
      ...(video ? { video } : {}),
    };
    super("aiortc", findPython(), [script, role, ...list(args), ...more]);
  }
}

/** A peer under way, over WHIP or WHEP. */
export class AiortcWhipPeer extends PeerProcess {
  /** The options are those of the other one. */
  constructor(role, server, { streamID, userID, roomID, seconds = 60, video }) {
    const args = {
      url: server.whipUrl(role, { roomID, streamID }),
      token: server.token(userID),
      seconds,
      ...(video ? { video } : {}),
    };
    super("aiortc", findPython(), [whipScript, role, ...list(args)]);
  }
}

function list(args) {
  return Object.entries(args).flatMap(([key, value]) => [`--${key}`, String(value)]);
}
