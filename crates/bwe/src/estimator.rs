//! The estimator: numbers what is sent, and judges by what feedback says of it.

use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{PacketStatus, TransportFeedback};
use odeum_types::Bitrate;

use crate::acknowledged::Acknowledged;
use crate::groups::Bursts;
use crate::history::{Purpose, SendHistory};
use crate::loss::LossBound;
use crate::probe::{Burst, Probing};
use crate::rate_control::{RateControl, Throughput};
use crate::trendline::{Trendline, Usage};

/// Units of a feedback's times, in microseconds.
const REFERENCE_US: i64 = 64_000;
const DELTA_US: i64 = 250;

/// The reference time has 24 bits.
const REFERENCE_WRAPS: i64 = 1 << 24;

/// The receiver's clock is another one when it jumps by more than this, in units of its reference
/// time: ten minutes.
const JUMP_MAX: i64 = 9_375;

/// Without feedback on what was sent for so long the way is taken to be gone, in microseconds; the
/// estimate is halved then and each time the same has passed again.
const SILENCE_US: u64 = 1_000_000;

/// What arrives is known well enough after so long, in microseconds.
const SETTLED_AFTER_US: u64 = 1_000_000;

/// A fall within so long after a probe has raised the estimate disproves the probe, in
/// microseconds.
const PROVEN_AFTER_US: u64 = 5_000_000;

/// Options of an [`Estimator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimatorConfig {
    /// What is taken to reach the other end before anything is known. Default 2 Mbit/s. Higher
    /// shows the best picture at once and may overrun a narrow way for a second; lower begins
    /// small.
    pub start: Bitrate,
    /// The estimate is never lower. Default 50 kbit/s: sound alone.
    pub min: Bitrate,
    /// The estimate is never higher. Default 100 Mbit/s.
    pub max: Bitrate,
}

impl Default for EstimatorConfig {
    fn default() -> Self {
        Self {
            start: Bitrate::from_kilobits_per_second(2_000),
            min: Bitrate::from_kilobits_per_second(50),
            max: Bitrate::from_kilobits_per_second(100_000),
        }
    }
}

/// The estimate of one transport. About 5 KB, 4 of them for what was sent.
#[derive(Debug)]
pub struct Estimator {
    /// The options.
    config: EstimatorConfig,
    /// Where times count from.
    origin: Instant,
    /// What was sent.
    history: SendHistory,
    /// The last reference time, extended, in units of 64 ms.
    reference: Option<i64>,
    /// Packets as bursts.
    bursts: Bursts,
    /// Whether the queue grows.
    trendline: Trendline,
    /// What is sent.
    offered: Acknowledged,
    /// What arrives.
    acknowledged: Acknowledged,
    /// What the delays allow.
    rate: RateControl,
    /// What loss allows.
    loss: LossBound,
    /// Whether there is room for more.
    probing: Probing,
    /// Whether anything is known.
    is_settled: bool,
    /// When a probe last raised the estimate, in microseconds.
    raised_us: Option<u64>,
    /// When feedback last came, or the silence was last punished, in microseconds.
    heard_us: u64,
    /// When the first packet was sent after that.
    waiting_since_us: Option<u64>,
}

impl Estimator {
    /// An estimator that has seen nothing.
    pub fn new(now: Instant, config: EstimatorConfig) -> Self {
        Self {
            config,
            origin: now,
            history: SendHistory::new(),
            reference: None,
            bursts: Bursts::default(),
            trendline: Trendline::new(),
            offered: Acknowledged::default(),
            acknowledged: Acknowledged::default(),
            rate: RateControl::new(config.start),
            loss: LossBound::new(config.max),
            probing: Probing::new(),
            is_settled: false,
            raised_us: None,
            heard_us: 0,
            waiting_since_us: None,
        }
    }

    /// Notes that a packet of `size` bytes is sent; gives its transport-wide sequence number.
    pub fn sent(&mut self, now: Instant, size: usize, purpose: Purpose) -> u16 {
        let now_us = self.elapsed_us(now);
        let number = self.history.push(now_us, size, purpose);
        self.offered.add(now_us as i64, size.min(usize::from(u16::MAX)) as u16);
        if purpose == Purpose::Probe {
            self.probing.sent(number, size);
        }
        self.waiting_since_us.get_or_insert(now_us);
        number as u16
    }

    /// Takes a feedback message.
    pub fn handle_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let now_us = self.elapsed_us(now);
        let mut arrival_us = self.reference_us(feedback.reference_time_64ms);
        let (mut reported, mut lost, mut told_of) = (0, 0, 0);
        for (number, status) in feedback.statuses() {
            if let PacketStatus::Received { delta_250us } = status {
                arrival_us += i64::from(delta_250us) * DELTA_US;
            }
            let Some(sent) = self.history.take(now_us, number) else { continue };
            reported += 1;
            told_of = told_of.max(sent.number);
            if status == PacketStatus::Lost {
                lost += 1;
                continue;
            }
            self.acknowledged.add(arrival_us, sent.size);
            if sent.purpose == Purpose::Probe {
                self.probing.arrived(&sent, arrival_us);
            } else if let Some(delta) = self.bursts.add(sent.at_us, arrival_us) {
                self.trendline.add(&delta);
            }
        }
        if reported == 0 {
            return;
        }
        (self.heard_us, self.waiting_since_us) = (now_us, None);
        self.judge(now_us, reported, lost);
        if let Some(shown) = self.probing.poll(now_us, told_of) {
            self.raise(now_us, shown);
        }
    }

    /// Looks at the time: feedback that does not come says something as well. Call it about once a
    /// second.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now_us = self.elapsed_us(now);
        // A probe of which nothing was heard has shown nothing.
        let _nothing: Option<Bitrate> = self.probing.poll(now_us, 0);
        let Some(since_us) = self.waiting_since_us else { return };
        if now_us.saturating_sub(since_us.max(self.heard_us)) >= SILENCE_US {
            self.heard_us = now_us;
            let halved = self.estimate().percent(50);
            self.rate.set(halved);
            self.loss.set(self.loss.bound().min(halved.percent(150)));
        }
    }

    /// A burst to send now, if more is wanted than the estimate and it is time to try.
    pub fn poll_probe(&mut self, now: Instant, wanted: Bitrate) -> Option<Burst> {
        let is_calm = self.trendline.usage() != Usage::Over;
        if wanted <= self.estimate() || wanted > self.config.max || !is_calm {
            return None;
        }
        let now_us = self.elapsed_us(now);
        self.probing.begin(now_us, wanted)
    }

    /// Whether anything is known: enough has arrived to tell what arrives, or too much was sent.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// What reaches the other end.
    pub fn estimate(&self) -> Bitrate {
        self.rate.rate().min(self.loss.bound()).clamp(self.config.min, self.config.max)
    }

    fn judge(&mut self, now_us: u64, reported: u32, lost: u32) {
        let before = self.estimate();
        let acknowledged = self.acknowledged.rate();
        let sent = self.offered.rate();
        let throughput = acknowledged.map(|acknowledged| Throughput { sent, acknowledged });
        self.rate.update(now_us, self.trendline.usage(), throughput);
        self.loss.add(now_us, reported, lost, acknowledged);
        let is_over = self.trendline.usage() == Usage::Over;
        self.is_settled |= acknowledged.is_some() && (is_over || now_us >= SETTLED_AFTER_US);
        let Some(raised_us) = self.raised_us else { return };
        if now_us.saturating_sub(raised_us) >= PROVEN_AFTER_US {
            self.raised_us = None;
            self.probing.proven();
        } else if self.estimate() < before {
            self.raised_us = None;
            self.probing.disproved(now_us);
        }
    }

    fn raise(&mut self, now_us: u64, shown: Bitrate) {
        if shown <= self.estimate() {
            return;
        }
        self.raised_us = Some(now_us);
        self.rate.set(shown.max(self.rate.rate()));
        self.loss.set(shown.max(self.loss.bound()));
    }

    /// The reference time in microseconds, with the wraps of 24 bits taken out.
    fn reference_us(&mut self, reference: i32) -> i64 {
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
        }
        self.reference = Some(at);
        at * REFERENCE_US
    }

    fn elapsed_us(&self, now: Instant) -> u64 {
        let elapsed: Duration = now.saturating_duration_since(self.origin);
        elapsed.as_micros() as u64
    }
}
