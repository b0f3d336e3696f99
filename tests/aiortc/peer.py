"""A WebRTC peer that shares no code with Odeum or Chromium: aiortc, driven over public signalling.

Usage: peer.py publish|play --url ws://… --app-id N --room R --user U --stream S --token T
       --seconds N [--video VP8|H264] [--no-audio]

`publish` sends a moving picture and a tone (Opus); `play` decodes a stream. `--video` offers that
codec alone instead of all that aiortc has; `--no-audio` offers no sound. Each prints a JSON line
when it is connected and one when it is done: frames and samples sent or decoded. Errors end with
exit code 1.
"""

import argparse
import asyncio
import itertools
import json
import ssl
import sys

import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from media import MovingBars, Played, Tone, prefer


class Signalling:
    """Requests and replies of the protocol; notices are kept."""

    def __init__(self, socket, args):
        self.socket, self.room = socket, args.room
        self.ids = itertools.count(1)
        self.notices = []

    async def request(self, kind, **fields):
        request_id = next(self.ids)
        message = {"type": kind, "request_id": request_id, "room_id": self.room, **fields}
        await self.socket.send(json.dumps(message))
        while True:
            reply = json.loads(await self.socket.recv())
            if reply.get("request_id") == request_id:
                if reply["type"] == "error":
                    raise RuntimeError(f"{kind} refused: {reply['code']} {reply['message']}")
                return reply
            self.notices.append(reply)

    async def notice(self, kind, timeout):
        """The next notice of this type, heard already or to come."""
        async with asyncio.timeout(timeout):
            while True:
                for notice in self.notices:
                    if notice.get("type") == kind:
                        self.notices.remove(notice)
                        return notice
                self.notices.append(json.loads(await self.socket.recv()))


async def negotiate(signalling, connection, kind, stream):
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp
    reply = await signalling.request(kind, stream_id=stream, sdp=offer)
    await connection.setRemoteDescription(RTCSessionDescription(reply["sdp"], "answer"))


async def publish(signalling, args):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    video, audio = MovingBars(), Tone()
    if args.audio:
        connection.addTransceiver(audio, direction="sendonly")
    prefer(connection.addTransceiver(video, direction="sendonly"), args.video)
    await negotiate(signalling, connection, "publish", args.stream)
    state = await signalling.notice("publisher_state", 20)
    if state["state"] != "PUBLISHING":
        raise RuntimeError(f"not publishing: {state}")
    print(json.dumps({"event": "publishing"}), flush=True)
    await asyncio.sleep(args.seconds)
    await signalling.request("unpublish", stream_id=args.stream)
    await connection.close()
    return {"event": "done", "video_frames": video.frames, "audio_frames": audio.frames}


async def play(signalling, args):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    played = Played(connection)
    if args.audio:
        connection.addTransceiver("audio", direction="recvonly")
    prefer(connection.addTransceiver("video", direction="recvonly"), args.video)
    await negotiate(signalling, connection, "play", args.stream)
    state = await signalling.notice("player_state", 20)
    if state["state"] != "PLAYING":
        raise RuntimeError(f"not playing: {state}")
    print(json.dumps({"event": "playing"}), flush=True)
    await asyncio.sleep(args.seconds)
    await signalling.request("unplay", stream_id=args.stream)
    await connection.close()
    return {"event": "done", **await played.counts()}


async def main(args):
    tls = None
    if args.url.startswith("wss:"):
        # The test server's certificate signs itself.
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    async with websockets.connect(args.url, ssl=tls, max_size=None) as socket:
        signalling = Signalling(socket, args)
        await signalling.request(
            "login", version=1, app_id=args.app_id, user_id=args.user, token=args.token
        )
        work = publish if args.role == "publish" else play
        result = await work(signalling, args)
        await signalling.request("logout")
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["publish", "play"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--app-id", type=int, required=True)
    parser.add_argument("--room", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--stream", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--video", choices=["VP8", "H264"])
    parser.add_argument("--no-audio", dest="audio", action="store_false")
    try:
        asyncio.run(main(parser.parse_args()))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
