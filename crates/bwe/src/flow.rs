//! One transport's part of an estimate: numbers what is sent over it, and knows what its feedback
//! says of delays and of what arrives.

use std::time::Instant;

use odeum_types::{Bitrate, prefetch};

use crate::acknowledged::Acknowledged;
use crate::groups::Bursts;
use crate::history::{Purpose, SendHistory};
use crate::probe::ProbeSent;
use crate::standing::Standing;
use crate::trendline::{Trendline, Usage};

/// Units of a feedback's reference time, in microseconds.
const REFERENCE_US: i64 = 64_000;

/// The reference time has 24 bits.
const REFERENCE_WRAPS: i64 = 1 << 24;

/// The receiver's clock is another one when it jumps by more than this, in units of its reference
/// time: ten minutes.
const JUMP_MAX: i64 = 9_375;

/// What is sent at the very moment of a move may have gone the old way, and when that was is known
/// to 128 microseconds: so long after it all goes the new one, in microseconds.
const MOVE_US: u64 = 1_000;

/// Names a flow among those of its estimator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowNumber(pub(crate) u32);

/// What a flow counts for in the sums of its estimator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// What is sent over it; none before there is enough of it.
    pub(crate) sent: Option<Bitrate>,
    /// What of it arrives; the same.
    pub(crate) acknowledged: Option<Bitrate>,
    /// What of it arrived just now; the same.
    pub(crate) recent: Option<Bitrate>,
    /// What its delays say.
    pub(crate) usage: Usage,
    /// Whether they say that a queue stands.
    pub(crate) stands: bool,
}

/// One transport of those that share an [`crate::Estimator`]. About 5 KB, 4 of them for what was
/// sent.
#[derive(Debug)]
pub struct Flow {
    /// Which it is.
    pub(crate) number: FlowNumber,
    /// Where times count from: its estimator's.
    origin: Instant,
    /// What was sent.
    pub(crate) history: SendHistory,
    /// The last reference time, extended, in units of 64 ms.
    reference: Option<i64>,
    /// Packets as bursts.
    pub(crate) bursts: Bursts,
    /// Whether the queue grows.
    pub(crate) trendline: Trendline,
    /// Whether a queue stands.
    pub(crate) standing: Standing,
    /// What is sent.
    offered: Acknowledged,
    /// What arrives.
    pub(crate) acknowledged: Acknowledged,
    /// What was sent of the last probe.
    pub(crate) probe: ProbeSent,
    /// What it counts for.
    pub(crate) part: Part,
    /// When feedback last came, in microseconds.
    pub(crate) heard_us: u64,
    /// When the first packet was sent after that.
    pub(crate) waiting_since_us: Option<u64>,
    /// What was sent before tells of a queue that has been answered already, in microseconds.
    pub(crate) answered_us: u64,
    /// What was sent before took another way, in microseconds.
    pub(crate) moved_us: u64,
}

impl Flow {
    pub(crate) fn new(number: FlowNumber, origin: Instant) -> Self {
        Self {
            number,
            origin,
            history: SendHistory::new(),
            reference: None,
            bursts: Bursts::default(),
            trendline: Trendline::new(),
            standing: Standing::default(),
            offered: Acknowledged::default(),
            acknowledged: Acknowledged::default(),
            probe: ProbeSent::default(),
            part: Part::default(),
            heard_us: 0,
            waiting_since_us: None,
            answered_us: 0,
            moved_us: 0,
        }
    }

    /// Brings near what [`Self::sent`] needs, but for what [`Self::prefetch_history`] does.
    pub fn prefetch(&self) {
        prefetch(&self.origin);
        prefetch(&self.offered);
        prefetch(&self.history);
        prefetch(&self.waiting_since_us);
    }

    /// Brings near where the next packets are noted; where that is is known once
    /// [`Self::prefetch`] has had its time.
    pub fn prefetch_history(&self) {
        self.history.prefetch();
    }

    /// Whether it has a part in what its estimator takes to arrive.
    pub fn is_counted(&self) -> bool {
        self.part != Part::default()
    }

    /// Notes that a packet of `size` bytes is sent; gives its transport-wide sequence number.
    pub fn sent(&mut self, now: Instant, size: usize, purpose: Purpose) -> u16 {
        let now_us = self.elapsed_us(now);
        let number = self.history.push(now_us, size, purpose);
        self.offered.add(now_us as i64, size.min(usize::from(u16::MAX)) as u16);
        if purpose == Purpose::Probe {
            self.probe.add(number, size);
        }
        self.waiting_since_us.get_or_insert(now_us);
        number as u16
    }

    /// From now on what is sent takes another way, whose delays have nothing to do with those of
    /// the one before.
    pub fn handle_move(&mut self, now: Instant) {
        let since_us = self.elapsed_us(now) + MOVE_US;
        self.begin_anew(since_us);
        self.trendline = Trendline::new();
        self.standing = Standing::default();
        self.moved_us = since_us;
    }

    /// What it counts for, by what is known now.
    pub(crate) fn measured(&self) -> Part {
        Part {
            sent: self.offered.rate(),
            acknowledged: self.acknowledged.rate(),
            recent: self.acknowledged.recent(),
            usage: self.trendline.usage(),
            stands: self.standing.is_long(),
        }
    }

    /// What was sent until now tells nothing any more of the queue.
    pub(crate) fn begin_anew(&mut self, now_us: u64) {
        self.answered_us = now_us;
        self.bursts = Bursts::default();
        self.trendline.begin_anew();
    }

    /// The reference time in microseconds, with the wraps of 24 bits taken out.
    pub(crate) fn reference_us(&mut self, reference: i32) -> i64 {
        let reference = i64::from(reference);
        let last = self.reference.unwrap_or(reference);
        let half = REFERENCE_WRAPS / 2;
        let step = (reference - last + half).rem_euclid(REFERENCE_WRAPS) - half;
        let is_jump = step.abs() > JUMP_MAX;
        let at = if is_jump { reference } else { last + step };
        if is_jump {
            // Times before and after cannot be compared, and buckets of a time to come would never
            // be filled.
            self.bursts = Bursts::default();
            self.trendline = Trendline::new();
            self.acknowledged = Acknowledged::default();
            self.standing = Standing::default();
        }
        self.reference = Some(at);
        at * REFERENCE_US
    }

    pub(crate) fn elapsed_us(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_micros() as u64
    }
}
