"""A WebRTC peer that shares no code with Odeum or Chromium: aiortc, driven over WHIP and WHEP.

Usage: whip.py publish|play --url http://…/whip/R/S --token T --seconds N [--video VP8|H264]

`publish` sends a moving picture and a tone (Opus); `play` decodes a stream. `--video` offers that
codec alone instead of all that aiortc has. SIGTERM ends it before its time. Prints JSON lines:
`connected`, and `done` with what was sent or decoded and with the status of the DELETE that ended
it. Errors end with exit code 1.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from media import MovingBars, Played, Tone, prefer


class Session:
    """What a POST of an offer has begun (RFC 9725, section 4.2), until its DELETE."""

    def __init__(self, args):
        self.args, self.location = args, None

    async def request(self, method, url, body=None, headers=None):
        """Returns status, headers and text of the reply, whatever the status is."""
        headers = {"Authorization": f"Bearer {self.args.token}", **(headers or {})}
        request = urllib.request.Request(url, body, headers, method=method)

        def send():
            try:
                with urllib.request.urlopen(request, timeout=10) as reply:
                    return reply.status, reply.headers, reply.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.headers, error.read().decode()

        return await asyncio.to_thread(send)

    async def begin(self, connection):
        is_connected = asyncio.Event()

        @connection.on("connectionstatechange")
        def on_state():
            if connection.connectionState == "connected":
                is_connected.set()

        # aiortc has gathered its candidates once the description is set.
        await connection.setLocalDescription(await connection.createOffer())
        offer = connection.localDescription.sdp.encode()
        kind = {"Content-Type": "application/sdp"}
        status, headers, text = await self.request("POST", self.args.url, offer, kind)
        if status != 201:
            raise RuntimeError(f"refused: {status} {text}")
        self.location = urllib.parse.urljoin(self.args.url, headers["Location"])
        await connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
        await asyncio.wait_for(is_connected.wait(), 20)

    async def end(self):
        """Returns the status of the DELETE."""
        status, _, _ = await self.request("DELETE", self.location)
        return status


async def main(args):
    is_asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_asked.set)
    connection, session = RTCPeerConnection(RTCConfiguration(iceServers=[])), Session(args)
    if args.role == "publish":
        video, audio = MovingBars(), Tone()
        connection.addTransceiver(audio, direction="sendonly")
        prefer(connection.addTransceiver(video, direction="sendonly"), args.video)
    else:
        played = Played(connection)
        connection.addTransceiver("audio", direction="recvonly")
        prefer(connection.addTransceiver("video", direction="recvonly"), args.video)
    await session.begin(connection)
    print(json.dumps({"event": "connected"}), flush=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(is_asked.wait(), args.seconds)
    deleted = await session.end()
    await connection.close()
    if args.role == "publish":
        counts = {"video_frames": video.frames, "audio_frames": audio.frames}
    else:
        counts = await played.counts()
    print(json.dumps({"event": "done", "deleted": deleted, **counts}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["publish", "play"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--video", choices=["VP8", "H264"])
    try:
        asyncio.run(main(parser.parse_args()))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
