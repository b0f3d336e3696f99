"""A WebRTC peer of GStreamer: webrtcbin, driven over WHIP and WHEP like any encoder or player.

Usage: peer.py publish|play --url http://…/whip/R/S --token T --seconds N
       [--video H264|H265|VP8] [--sets in-band|sdp] [--address IP]

`publish` sends a moving ball and a tone (Opus); `play` decodes a stream. `--sets sdp` keeps the
parameter sets of H.264 and H.265 out of the stream: a publisher says them in its offer alone (the
sprop- parameters), and a player takes no notice of those in the answer, as browsers do. `--address`
is the one that ICE uses, instead of all but the loopback's. Prints JSON lines: `connected`,
`failed` with a reason, and `done` with what was sent or decoded. Errors end with exit code 1.
"""

import argparse
import array
import json
import re
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstBase, GstSdp, GstWebRTC  # noqa: E402

# Before the class of an element below.
Gst.init(None)

OPUS = (
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,"
    "encoding-params=(string)2"
)
VIDEO = {
    "H264": "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f",
    "H265": "application/x-rtp,media=video,encoding-name=H265,payload=96,clock-rate=90000",
    "VP8": "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
}
# A key frame a second: whoever comes later has a picture soon, asked for or not. Of H.265 with
# closed GOPs, for rtph265pay repeats the parameter sets before IDR pictures alone, not before CRA.
ENCODERS = {
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=600 key-int-max=15 "
    "! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 pt=96",
    "H265": "x265enc tune=zerolatency speed-preset=ultrafast bitrate=600 key-int-max=15 "
    "option-string=open-gop=0 ! video/x-h265,profile=main ! rtph265pay config-interval=-1 pt=96",
    "VP8": "vp8enc deadline=1 target-bitrate=600000 keyframe-max-dist=15 ! rtpvp8pay pt=96",
}
# How the same are sent with their parameter sets in SDP alone: the caps of streams of these forms
# have them, from where they come into the offer.
WITHOUT_SETS = {
    "H264": "h264parse ! video/x-h264,stream-format=avc,alignment=au ! rtph264pay",
    "H265": "h265parse ! video/x-h265,stream-format=hvc1,alignment=au ! rtph265pay",
}
# The type of a NAL unit by its first byte, and those that are parameter sets.
UNIT_TYPE = {"H264": lambda byte: byte & 0x1F, "H265": lambda byte: byte >> 1 & 0x3F}
SET_TYPES = {"H264": (7, 8), "H265": (32, 33, 34)}
SPROP = re.compile(r";?\s*sprop-(parameter-sets|vps|sps|pps)=[^;\r\n]*")
PICTURE = (
    "videotestsrc is-live=true pattern=ball "
    "! video/x-raw,format=I420,width=320,height=240,framerate=15/1 ! identity name=frames"
)
SOUND = (
    "audiotestsrc is-live=true ! audio/x-raw,format=S16LE,rate=48000,channels=1 "
    "! identity name=samples ! audioconvert ! audio/x-raw,channels=2 "
    "! opusenc ! rtpopuspay pt=111"
)
# Sound as it is looked at.
PLAIN = "audioconvert ! audio/x-raw,format=S16LE,channels=1 !"


def say(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def answered(emit):
    """Waits for the promise that `emit` hands to webrtcbin, and gives its reply."""
    is_done = threading.Event()
    promise = Gst.Promise.new_with_change_func(lambda *_: is_done.set())
    emit(promise)
    if not is_done.wait(10):
        raise RuntimeError("webrtcbin does not answer")
    return promise.get_reply()


class Stripper(GstBase.BaseTransform):
    """Takes the parameter sets out of a stream whose NAL units have their lengths before them."""

    __gstmetadata__ = ("Stripper", "Filter", "Takes parameter sets out", "Odeum")
    __gsttemplates__ = tuple(
        Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, Gst.Caps.new_any())
        for name, direction in (("sink", Gst.PadDirection.SINK), ("src", Gst.PadDirection.SRC))
    )

    def __init__(self, video):
        super().__init__()
        self.set_in_place(True)
        self.type_of, self.sets = UNIT_TYPE[video], SET_TYPES[video]

    def do_transform_ip(self, buffer):
        data, kept, at = buffer.extract_dup(0, buffer.get_size()), bytearray(), 0
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if self.type_of(data[at + 4]) not in self.sets:
                kept += data[at:end]
            at = end
        buffer.fill(0, bytes(kept))
        buffer.set_size(len(kept))
        return Gst.FlowReturn.OK


class Peer:
    """One webrtcbin, and what it has sent or decoded."""

    def __init__(self, args):
        self.args = args
        self.frames, self.samples, self.peak = 0, 0, 0
        self.is_connected = False
        self.can_offer, self.ended = threading.Event(), threading.Event()
        self.failure = None
        self.location = None
        self.pipeline = Gst.Pipeline()
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)

    def fail(self, why):
        if not self.ended.is_set():
            self.failure = why
            self.ended.set()

    def on_error(self, _bus, message):
        self.fail(message.parse_error().err.message)

    def count(self, element, what):
        def probe(_pad, info):
            if what == "frames":
                self.frames += 1
            else:
                buffer = info.get_buffer()
                samples = array.array("h", buffer.extract_dup(0, buffer.get_size()))
                self.samples += len(samples)
                self.peak = max(self.peak, max(samples, default=0))
            return Gst.PadProbeReturn.OK

        element.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, probe)

    def build(self):
        video, webrtc = self.args.video, Gst.ElementFactory.make("webrtcbin", "webrtc")
        webrtc.set_property("bundle-policy", "max-bundle")
        if self.args.address:
            # Left to itself libnice takes every address but the loopback's. Kept, for webrtcbin's
            # reference is a floating one that Python would take away with its own.
            self.ice = webrtc.get_property("ice-agent")
            self.ice.emit("add-local-ip-address", self.args.address)
        webrtc.connect("notify::connection-state", self.on_state)
        webrtc.connect("on-negotiation-needed", lambda _: self.can_offer.set())
        self.webrtc = webrtc
        self.pipeline.add(webrtc)
        if self.args.role == "publish":
            encoded = f"{PICTURE} ! {ENCODERS[video]}"
            if self.args.sets == "sdp":
                encoded, rest = encoded.rsplit("! rtp", 1)[0], WITHOUT_SETS[video]
                encoded += f"! {rest} name=payloader config-interval=0 pt=96"
            for source in (encoded, SOUND):
                part = Gst.parse_bin_from_description(source, True)
                self.pipeline.add(part)
                if part.get_by_name("payloader"):
                    self.without_sets(part, video)
                part.get_static_pad("src").link(webrtc.request_pad_simple("sink_%u"))
            for name in ("frames", "samples"):
                self.count(self.pipeline.get_by_name(name), name)
        else:
            webrtc.connect("pad-added", self.on_pad)
            for caps in (VIDEO[video], OPUS):
                direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
                webrtc.emit("add-transceiver", direction, Gst.Caps.from_string(caps))

    def without_sets(self, part, video):
        """Takes the parameter sets out of what goes to the payloader of `part`, and keeps from it
        that a key frame was asked for: it would send them with it."""

        def on_event(_pad, info):
            is_asked = info.get_event().has_name("GstForceKeyUnit")
            return Gst.PadProbeReturn.DROP if is_asked else Gst.PadProbeReturn.OK

        payloader, stripper = part.get_by_name("payloader"), Stripper(video)
        part.add(stripper)
        sink = payloader.get_static_pad("sink")
        source = sink.get_peer()
        source.unlink(sink)
        source.link(stripper.get_static_pad("sink"))
        stripper.get_static_pad("src").link(sink)
        sink.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, on_event)

    def on_pad(self, _webrtc, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.on_decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_decoded(self, _decoder, pad):
        is_video = pad.get_current_caps().get_structure(0).get_name().startswith("video/")
        end = Gst.parse_bin_from_description(f"{'' if is_video else PLAIN} fakesink name=end", True)
        self.count(end.get_by_name("end"), "frames" if is_video else "samples")
        self.pipeline.add(end)
        end.sync_state_with_parent()
        pad.link(end.get_static_pad("sink"))

    def on_state(self, webrtc, _property):
        state = webrtc.get_property("connection-state")
        states = GstWebRTC.WebRTCPeerConnectionState
        if state == states.CONNECTED and not self.is_connected:
            self.is_connected = True
            say("connected")
        elif state in (states.FAILED, states.DISCONNECTED, states.CLOSED):
            self.fail(f"the connection is {state.value_nick}")

    def offer(self):
        gathered = threading.Event()

        def on_gathering(webrtc, _property):
            complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
            if webrtc.get_property("ice-gathering-state") == complete:
                gathered.set()

        self.webrtc.connect("notify::ice-gathering-state", on_gathering)
        # Of a publisher: the encoders have said what they send.
        if not self.can_offer.wait(10):
            raise RuntimeError("there is nothing to offer")
        reply = answered(lambda promise: self.webrtc.emit("create-offer", None, promise))
        offer = reply.get_value("offer")
        answered(lambda promise: self.webrtc.emit("set-local-description", offer, promise))
        if not gathered.wait(10):
            raise RuntimeError("ICE candidates were not gathered")
        return self.webrtc.get_property("local-description").sdp.as_text()

    def begin(self):
        """POSTs the offer and takes the answer (RFC 9725, section 4.2)."""
        headers = {"Authorization": f"Bearer {self.args.token}", "Content-Type": "application/sdp"}
        offer = self.offer()
        if self.args.role == "publish" and self.args.sets == "sdp" and not SPROP.search(offer):
            raise RuntimeError(f"the offer has no parameter sets: {offer}")
        request = urllib.request.Request(self.args.url, offer.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                self.location, answer = reply.headers["Location"], reply.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.code} {error.read().decode()} to {offer}") from error
        if self.args.sets == "sdp":
            answer = SPROP.sub("", answer)
        _, sdp = GstSdp.SDPMessage.new_from_text(answer)
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        answer = GstWebRTC.WebRTCSessionDescription.new(kind, sdp)
        answered(lambda promise: self.webrtc.emit("set-remote-description", answer, promise))

    def end(self):
        self.pipeline.set_state(Gst.State.NULL)
        if self.location is None:
            return
        url = urllib.parse.urljoin(self.args.url, self.location)
        headers = {"Authorization": f"Bearer {self.args.token}"}
        request = urllib.request.Request(url, headers=headers, method="DELETE")
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            # 404: it has ended by itself, as when the server gave the connection up.
            if error.code != 404:
                raise


def main(args):
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    peer = Peer(args)
    peer.build()
    peer.pipeline.set_state(Gst.State.PLAYING)
    try:
        peer.begin()
        peer.ended.wait(args.seconds)
    finally:
        peer.end()
        loop.quit()
    if peer.failure or not peer.is_connected:
        say("failed", reason=peer.failure or "never connected")
        sys.exit(1)
    say("done", video_frames=peer.frames, audio_samples=peer.samples, audio_peak=peer.peak)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["publish", "play"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--video", choices=list(VIDEO), default="H264")
    parser.add_argument("--sets", choices=["in-band", "sdp"], default="in-band")
    parser.add_argument("--address")
    main(parser.parse_args())
