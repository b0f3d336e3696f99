//! What a viewer gets to see and hear: a frame counts only when it is whole and so is all that it
//! builds on, back to a key frame. Frames are numbered by what their source stamped into them, so
//! that nothing that a server renumbers can hide a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use odeum_client::{Kind, Received, Stamp};

/// Packets of each frame of a source without layers, and bytes of their payloads.
pub(crate) const FRAME_PACKETS: u64 = 4;
pub(crate) const PAYLOAD_BYTES: usize = 900;
/// The same of a source's layers, the smallest first: 150, 500 and 1,500 kbit/s at 30 frames a
/// second. A layer is known by the size of its payloads.
pub(crate) const LAYERS: [(u64, usize); 3] = [(1, 625), (2, 1_042), (6, 1_041)];
/// Frames that wait for others at most, and sounds remembered; the oldest is given up beyond it.
const PENDING_MAX: usize = 256;
/// How long a picture may stand before a key frame is asked for.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(300);
/// Time between two such requests.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);
/// How late sound may be to be heard.
const SOUND_PATIENCE: Duration = Duration::from_millis(200);

/// What was seen and heard since measuring began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Seen {
    /// Frames that could be decoded.
    pub(crate) frames: u64,
    /// The longest time between two of them.
    pub(crate) longest_freeze: Duration,
    /// When the last one was.
    pub(crate) last_frame: Option<Instant>,
    /// Packets of sound that came in time.
    pub(crate) sounds: u64,
    /// Bytes of payload that came, of sound and video.
    pub(crate) bytes: u64,
    /// Packets with a byte that was not sent.
    pub(crate) broken: u64,
    /// Key frames that the viewer asked for.
    pub(crate) key_frames_asked: u64,
}

/// A frame of which something came.
#[derive(Debug, Default)]
struct Frame {
    /// One bit for each packet.
    packets: u64,
    /// The same when all are there.
    whole: u64,
    /// Whether it needs no other.
    is_key: bool,
}

/// One viewer's decoder.
#[derive(Debug)]
pub(crate) struct Playout {
    /// What stamps count from.
    epoch: Instant,
    /// What could not be decoded yet, by number and layer.
    pending: BTreeMap<(u64, u64), Frame>,
    /// The last frame that was decoded, and of which layer.
    last: Option<(u64, u64)>,
    /// When that was, or when all began.
    last_at: Instant,
    /// Numbers of the last sounds.
    heard: BTreeSet<u64>,
    /// When a key frame was last asked for.
    asked_at: Option<Instant>,
    /// What was seen.
    pub(crate) seen: Seen,
}

impl Playout {
    /// Of a viewer that begins at `epoch`.
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            pending: BTreeMap::new(),
            last: None,
            last_at: epoch,
            heard: BTreeSet::new(),
            asked_at: None,
            seen: Seen::default(),
        }
    }

    /// Measures from now on.
    pub(crate) fn begin_measuring(&mut self, now: Instant) {
        self.seen = Seen { last_frame: Some(now), ..Seen::default() };
    }

    /// Takes a packet.
    pub(crate) fn handle(&mut self, now: Instant, received: &Received<'_>) {
        let Some(stamp) = Stamp::read(received.payload) else {
            self.seen.broken += 1;
            return;
        };
        self.seen.broken += u64::from(!Stamp::is_intact(received.payload));
        self.seen.bytes += received.payload.len() as u64;
        match received.kind {
            Kind::Audio => {
                self.hear(now, stamp);
                if let Some(before) = received.before.and_then(Stamp::read) {
                    self.hear(now, before);
                }
            }
            Kind::Video => self.on_video(now, stamp.number, received.payload),
        }
    }

    /// Whether a key frame has to be asked for now; then it counts as asked for.
    pub(crate) fn asks_for_key_frame(&mut self, now: Instant) -> bool {
        let stands = now.saturating_duration_since(self.last_at) > KEY_FRAME_PATIENCE;
        let asked = self.asked_at.is_some_and(|at| now - at < KEY_FRAME_INTERVAL);
        if !stands || asked {
            return false;
        }
        self.asked_at = Some(now);
        self.seen.key_frames_asked += 1;
        true
    }

    /// What was seen until now; a picture that stands still is a freeze too.
    pub(crate) fn seen_until(&self, now: Instant) -> Seen {
        let since = self.seen.last_frame.map_or(Duration::ZERO, |at| now - at);
        Seen { longest_freeze: self.seen.longest_freeze.max(since), ..self.seen }
    }

    fn hear(&mut self, now: Instant, stamp: Stamp) {
        let is_in_time = stamp.age(now, self.epoch) <= SOUND_PATIENCE;
        self.seen.sounds += u64::from(is_in_time && self.heard.insert(stamp.number));
        while self.heard.len() > PENDING_MAX {
            self.heard.pop_first();
        }
    }

    fn on_video(&mut self, now: Instant, number: u64, payload: &[u8]) {
        let (layer, packets) = layer_of(payload.len());
        let (frame, index) = (number / packets, number % packets);
        if self.last.is_some_and(|(last, _)| frame <= last) {
            return;
        }
        let entry = self.pending.entry((frame, layer)).or_default();
        entry.whole = (1 << packets) - 1;
        entry.packets |= 1 << index;
        // Bit 0 of a VP8 frame's first byte, behind four of descriptor (RFC 6386 §9.1).
        entry.is_key |= index == 0 && payload[4] & 1 == 0;
        while self.pending.len() > PENDING_MAX {
            self.pending.pop_first();
        }
        while let Some(next) = self.next_decodable() {
            self.decode(now, next);
        }
    }

    fn next_decodable(&self) -> Option<(u64, u64)> {
        let is_whole = |frame: &Frame| frame.packets == frame.whole;
        let next = self.last.map(|(last, layer)| (last + 1, layer));
        if let Some(next) = next
            && self.pending.get(&next).is_some_and(is_whole)
        {
            return Some(next);
        }
        let mut keys = self.pending.iter().filter(|(_, frame)| frame.is_key && is_whole(frame));
        keys.next().map(|(number, _)| *number)
    }

    fn decode(&mut self, now: Instant, (number, layer): (u64, u64)) {
        self.pending = self.pending.split_off(&(number + 1, 0));
        self.last = Some((number, layer));
        self.last_at = now;
        let since = self.seen.last_frame.map_or(Duration::ZERO, |at| now - at);
        self.seen.longest_freeze = self.seen.longest_freeze.max(since);
        self.seen.last_frame = Some(now);
        self.seen.frames += 1;
    }
}

/// Which layer a payload of this size is of, and packets of its frames.
fn layer_of(payload_bytes: usize) -> (u64, u64) {
    let layers = (0..).zip(LAYERS);
    let mut layers = layers.filter(|(_, (_, bytes))| *bytes == payload_bytes);
    layers.next().map_or((0, FRAME_PACKETS), |(layer, (packets, _))| (layer, packets))
}
