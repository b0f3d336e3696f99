"""What an aiortc peer sends, a moving picture and a tone, and what it counts of what it plays."""

import asyncio
import fractions
import time

import av
import numpy
from aiortc import RTCRtpSender, VideoStreamTrack
from aiortc.contrib.media import MediaStreamError
from aiortc.mediastreams import AudioStreamTrack

FRAME_WIDTH, FRAME_HEIGHT = 320, 240
SAMPLE_RATE = 48_000
SAMPLES_PER_FRAME = 960


class MovingBars(VideoStreamTrack):
    """Bars that move one pixel a frame, so that frames differ and compress well."""

    def __init__(self):
        super().__init__()
        self.frames = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        columns = (numpy.arange(FRAME_WIDTH) + self.frames) % 64 * 4
        row = numpy.stack([columns, 255 - columns, numpy.full(FRAME_WIDTH, 128)], axis=1)
        picture = numpy.broadcast_to(row.astype(numpy.uint8), (FRAME_HEIGHT, FRAME_WIDTH, 3))
        frame = av.VideoFrame.from_ndarray(numpy.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        self.frames += 1
        return frame


class Tone(AudioStreamTrack):
    """A 440 Hz sine in frames of 20 ms."""

    def __init__(self):
        super().__init__()
        self.frames = 0
        self.started = None

    async def recv(self):
        if self.started is None:
            self.started = time.monotonic()
        at = self.started + self.frames * SAMPLES_PER_FRAME / SAMPLE_RATE
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        first = self.frames * SAMPLES_PER_FRAME
        at = (first + numpy.arange(SAMPLES_PER_FRAME)) / SAMPLE_RATE
        samples = numpy.sin(2 * numpy.pi * 440 * at)
        data = (samples * 8_000).astype(numpy.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, first
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        self.frames += 1
        return frame


class Played:
    """Decodes the tracks of a connection, and counts."""

    def __init__(self, connection):
        self.video_frames, self.video_size = 0, None
        self.audio_samples, self.audio_energy = 0, 0.0
        self.readers = []
        connection.on("track", self.on_track)

    def on_track(self, track):
        self.readers.append(asyncio.ensure_future(self.read(track)))

    async def read(self, track):
        try:
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.video_frames += 1
                    self.video_size = [frame.width, frame.height]
                else:
                    samples = frame.to_ndarray().astype(numpy.float64)
                    self.audio_samples += samples.size
                    self.audio_energy += float(numpy.square(samples / 32768).sum())
        except MediaStreamError:
            return

    async def counts(self):
        """All of it, once the connection is closed."""
        await asyncio.gather(*self.readers, return_exceptions=True)
        return {
            "video_frames": self.video_frames,
            "video_size": self.video_size,
            "audio_samples": self.audio_samples,
            "audio_energy": self.audio_energy,
        }


def prefer(transceiver, name):
    """Leaves one video codec and retransmission in the offer."""
    if name is not None:
        wanted = {f"video/{name.lower()}", "video/rtx"}
        codecs = RTCRtpSender.getCapabilities("video").codecs
        preferred = [each for each in codecs if each.mimeType.lower() in wanted]
        transceiver.setCodecPreferences(preferred)
