//! The estimator: judges by what the feedback of its flows says of what they sent.

use std::time::Instant;

use odeum_rtp::rtcp::{PacketStatus, TransportFeedback};
use odeum_types::Bitrate;

use crate::flow::{Flow, FlowNumber, Part};
use crate::history::Purpose;
use crate::loss::{LossBound, LossCause};
use crate::probe::{Burst, ProbeSent, Probing};
use crate::rate_control::RateControl;
use crate::sums::Sums;
use crate::trendline::Usage;

/// The unit of a feedback's differences, in microseconds.
const DELTA_US: i64 = 250;

/// Without feedback on what was sent for so long the way is taken to be gone, in microseconds; the
/// estimate is halved then and each time the same has passed again.
const SILENCE_US: u64 = 1_000_000;

/// A flow that no feedback tells of for so long counts for nothing, in microseconds: what it was
/// told of last is as old as all that counts.
const SILENT_US: u64 = 500_000;

/// Delays that were told of so long ago say nothing of the queue any more, in microseconds.
const STALE_US: u64 = 1_000_000;

/// What arrives is known well enough after so long, in microseconds.
const SETTLED_AFTER_US: u64 = 1_000_000;

/// A fall within so long after a probe has raised the estimate disproves the probe, in
/// microseconds.
const PROVEN_AFTER_US: u64 = 5_000_000;

/// A queue in which packets wait for longer than this is emptied by sending less than what gets
/// through, in microseconds: sound waits in it as well.
const DRAINED_FROM_US: i64 = 150_000;

/// A queue is to be empty after so long, in microseconds. Shorter takes more of the picture.
const DRAINED_IN_US: i64 = 500_000;

/// A queue is emptied for so long at the most after it last lowered the estimate, in microseconds:
/// one that stays then is not ours.
const DRAINED_FOR_US: u64 = 1_500_000;

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

/// For how long packets wait in a queue. Flows that joined while it stood do not see it.
#[derive(Debug, Clone, Copy)]
struct Waited {
    /// The flow that says so.
    by: FlowNumber,
    /// When it last did, in microseconds.
    told_us: u64,
    /// How long, in microseconds.
    length_us: i64,
}

/// The estimate of what reaches one other end, over all of its flows together.
#[derive(Debug)]
pub struct Estimator {
    /// The options.
    config: EstimatorConfig,
    /// Where times count from.
    origin: Instant,
    /// How many flows there were.
    flows: u32,
    /// What the flows count for together.
    sums: Sums,
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
    /// When a queue that grew last lowered the estimate, in microseconds, and whose queue.
    answered: Option<(u64, FlowNumber)>,
    /// The longest that packets wait, as the flow says that sees it; none before any has.
    waited: Option<Waited>,
}

impl Estimator {
    /// An estimator that has seen nothing.
    pub fn new(now: Instant, config: EstimatorConfig) -> Self {
        Self {
            config,
            origin: now,
            flows: 0,
            sums: Sums::default(),
            rate: RateControl::new(config.start),
            loss: LossBound::new(config.min, config.max),
            probing: Probing::new(),
            is_settled: false,
            raised_us: None,
            heard_us: 0,
            answered: None,
            waited: None,
        }
    }

    /// One more flow. It counts until [`Self::remove`], and belongs to this estimator alone.
    pub fn add_flow(&mut self) -> Flow {
        self.flows = self.flows.wrapping_add(1);
        Flow::new(FlowNumber(self.flows), self.origin)
    }

    /// A flow has ended.
    pub fn remove(&mut self, flow: &Flow) {
        self.sums.replace(flow.part, Part::default());
        self.probing.abandon(flow.number);
        self.waited = self.waited.filter(|waited| waited.by != flow.number);
    }

    /// Takes a feedback message on a flow.
    pub fn handle_feedback(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        feedback: &TransportFeedback<'_>,
    ) {
        let now_us = flow.elapsed_us(now);
        self.forget_answered(flow);
        let mut arrival_us = flow.reference_us(feedback.reference_time_64ms);
        let (mut reported, mut lost, mut told_of) = (0, 0, 0);
        let mut shortest_us = i64::MAX;
        for (number, status) in feedback.statuses() {
            if let PacketStatus::Received { delta_250us } = status {
                arrival_us += i64::from(delta_250us) * DELTA_US;
            }
            let Some(sent) = flow.history.take(now_us, number) else { continue };
            reported += 1;
            told_of = told_of.max(sent.number);
            if status == PacketStatus::Lost {
                lost += 1;
                continue;
            }
            flow.acknowledged.add(arrival_us, sent.size);
            if sent.at_us >= flow.moved_us {
                shortest_us = shortest_us.min(arrival_us - sent.at_us as i64);
            }
            if sent.purpose == Purpose::Probe {
                self.probing.arrived(flow.number, &sent, arrival_us);
            } else if sent.at_us >= flow.answered_us
                && let Some(delta) = flow.bursts.add(sent.at_us, arrival_us)
            {
                flow.trendline.add(&delta);
            }
        }
        if reported == 0 {
            return;
        }
        if shortest_us < i64::MAX {
            flow.standing.add(now_us, shortest_us);
        }
        self.heard_us = now_us;
        (flow.heard_us, flow.waiting_since_us) = (now_us, None);
        self.judge(now_us, flow, reported, lost);
        if let Some(shown) = self.probing.poll(now_us, flow.number, flow.probe, told_of) {
            self.raise(now_us, shown);
        }
    }

    /// Looks at the time: feedback that does not come says something as well. Call it about once a
    /// second for each flow.
    pub fn handle_timeout(&mut self, now: Instant, flow: &mut Flow) {
        let now_us = flow.elapsed_us(now);
        // A probe of which nothing was heard has shown nothing.
        let _nothing: Option<Bitrate> = self.probing.poll(now_us, flow.number, flow.probe, 0);
        if now_us.saturating_sub(flow.heard_us) >= STALE_US {
            flow.begin_anew(now_us);
        }
        self.forget_silent(now, flow);
        let Some(since_us) = flow.waiting_since_us else { return };
        // What is heard of another flow came the same way.
        if now_us.saturating_sub(since_us.max(self.heard_us)) >= SILENCE_US {
            self.heard_us = now_us;
            let halved = self.estimate().percent(50);
            self.rate.set(halved);
            self.loss.set(self.loss.bound().min(halved.percent(150)));
        }
    }

    /// A flow that nothing is heard of, because its source has stopped say, does not arrive. To be
    /// called for each flow before the estimate is used.
    pub fn forget_silent(&mut self, now: Instant, flow: &mut Flow) {
        if flow.elapsed_us(now).saturating_sub(flow.heard_us) >= SILENT_US {
            self.sums.replace(std::mem::take(&mut flow.part), Part::default());
        }
    }

    /// A burst to send now over a flow, if more than the estimate is of use and it is time to try:
    /// from `needed` on it is, and up to `wanted` it is looked for. One at a time, of all flows.
    pub fn poll_probe(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        needed: Bitrate,
        wanted: Bitrate,
    ) -> Option<Burst> {
        let is_calm = !self.sums.is_over() && !self.sums.is_standing();
        if needed <= self.estimate() || needed > self.config.max || !is_calm {
            return None;
        }
        let now_us = flow.elapsed_us(now);
        let burst = self.probing.begin(now_us, flow.number, (needed, wanted.max(needed)))?;
        flow.probe = ProbeSent::default();
        Some(burst)
    }

    /// Whether anything is known: enough has arrived to tell what arrives, or too much was sent.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// What may be sent now: what reaches the other end, and less while a long queue has to empty
    /// that has just lowered the estimate.
    pub fn budget(&self, now: Instant) -> Bitrate {
        let is_fresh = |waited: &Waited| self.since_us(now, waited.told_us) < SILENT_US;
        let waited_us = self.waited.filter(is_fresh).map_or(0, |waited| waited.length_us);
        if !self.is_draining(now) || waited_us < DRAINED_FROM_US {
            return self.estimate();
        }
        let left_us = DRAINED_IN_US.saturating_sub(waited_us).max(0).unsigned_abs();
        self.estimate().percent(left_us * 100 / DRAINED_IN_US.unsigned_abs())
    }

    /// Whether a queue stands that has lowered the estimate a moment ago, and so is to empty. One
    /// that stands for longer is not ours.
    pub fn is_draining(&self, now: Instant) -> bool {
        self.has_fallen(now) && self.sums.is_standing()
    }

    /// Whether a queue has lowered the estimate a moment ago, whether or not it is empty again.
    pub fn has_fallen(&self, now: Instant) -> bool {
        self.answered.is_some_and(|(at_us, _)| self.since_us(now, at_us) < DRAINED_FOR_US)
    }

    /// What reaches the other end.
    pub fn estimate(&self) -> Bitrate {
        self.rate.rate().min(self.loss.bound()).clamp(self.config.min, self.config.max)
    }

    /// Whether packets wait in a queue for longer than they once did.
    #[cfg(test)]
    pub(crate) fn has_standing_queue(&self) -> bool {
        self.sums.is_standing()
    }

    /// What all flows send together and what of it arrives.
    #[cfg(test)]
    pub(crate) fn throughput(&self) -> Option<crate::rate_control::Throughput> {
        self.sums.throughput()
    }

    fn since_us(&self, now: Instant, at_us: u64) -> u64 {
        let now_us = now.saturating_duration_since(self.origin).as_micros() as u64;
        now_us.saturating_sub(at_us)
    }

    /// A flow says for how long packets wait; the longest counts.
    fn note_wait(&mut self, now_us: u64, by: FlowNumber, length_us: i64) {
        let is_longer = self.waited.is_some_and(|waited| {
            let is_fresh = now_us.saturating_sub(waited.told_us) < SILENT_US;
            waited.by != by && is_fresh && waited.length_us > length_us
        });
        if !is_longer {
            self.waited = Some(Waited { by, told_us: now_us, length_us });
        }
    }

    /// What another flow's queue has lowered the estimate for is not answered once more.
    fn forget_answered(&self, flow: &mut Flow) {
        if let Some((at_us, by)) = self.answered
            && by != flow.number
            && at_us > flow.answered_us
        {
            flow.begin_anew(at_us);
        }
    }

    fn judge(&mut self, now_us: u64, flow: &mut Flow, reported: u32, lost: u32) {
        let before = self.estimate();
        let part = flow.measured();
        self.sums.replace(std::mem::replace(&mut flow.part, part), part);
        self.note_wait(now_us, flow.number, flow.standing.length_us());
        let throughput = match part.stands {
            true => self.sums.narrowed(),
            false => self.sums.throughput(),
        };
        let acknowledged = throughput.map(|throughput| throughput.acknowledged);
        let usage = match part.usage {
            // It shares the queue that grows.
            Usage::Normal if self.sums.is_over() => Usage::Under,
            // It is full, and grows no longer.
            Usage::Normal if flow.standing.is_long() => Usage::Under,
            usage => usage,
        };
        let rate_before = self.rate.rate();
        self.rate.update(now_us, usage, throughput);
        if self.rate.rate() < rate_before {
            self.answered = Some((now_us, flow.number));
        }
        let cause = if flow.standing.is_long() { LossCause::Queue } else { LossCause::Unknown };
        self.loss.add(now_us, (reported, lost, cause), (before, acknowledged));
        let is_over = usage == Usage::Over;
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
}
