//! One direction of a way through a network: what it loses, delays, doubles and queues, seeded.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// How packets are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    /// None.
    None,
    /// Each with this probability.
    Random(f64),
    /// All within bursts (the model of Gilbert and Elliott): the probability per packet that one
    /// begins, and that it ends.
    Bursts { begins: f64, ends: f64 },
    /// All of them.
    All,
}

/// What a way does to packets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LinkConfig {
    /// Which it loses.
    pub(crate) loss: Loss,
    /// How long each takes.
    pub(crate) delay: Duration,
    /// How much longer at most, each by itself: what overtakes.
    pub(crate) jitter: Duration,
    /// Probability that one comes twice.
    pub(crate) duplication: f64,
    /// Bits per second of its narrowest part; none: wide enough.
    pub(crate) capacity: Option<u64>,
    /// How long a packet waits before the narrowest part at most; beyond it, it is lost.
    pub(crate) queue: Duration,
}

/// What was done to packets: proof that a network was bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Packets handed in.
    pub(crate) carried: u64,
    /// Lost by [`LinkConfig::loss`].
    pub(crate) lost: u64,
    /// Lost because the queue was full.
    pub(crate) overflowed: u64,
    /// Came twice.
    pub(crate) duplicated: u64,
    /// Overtook one that left earlier.
    pub(crate) reordered: u64,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Link {
    /// What it does now.
    pub(crate) config: LinkConfig,
    /// What it did.
    pub(crate) faults: Faults,
    /// Its dice.
    random: SmallRng,
    /// Whether a burst of losses is under way.
    is_in_burst: bool,
    /// Until when its narrowest part has something to send.
    busy_until: Instant,
    /// The latest arrival so far.
    latest: Instant,
}

impl LinkConfig {
    /// 20 ms, and nothing else.
    pub(crate) fn good() -> Self {
        Self {
            loss: Loss::None,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            duplication: 0.0,
            capacity: None,
            queue: Duration::from_millis(300),
        }
    }

    /// The same with losses and some jitter.
    pub(crate) fn lossy(loss: Loss) -> Self {
        Self { loss, jitter: Duration::from_millis(5), ..Self::good() }
    }
}

impl Link {
    /// A good one.
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        Self {
            config: LinkConfig::good(),
            faults: Faults::default(),
            random: SmallRng::seed_from_u64(seed),
            is_in_burst: false,
            busy_until: now,
            latest: now,
        }
    }

    /// When a packet that leaves now arrives: never, once or twice.
    pub(crate) fn carry(&mut self, now: Instant, size_bytes: usize) -> [Option<Instant>; 2] {
        self.faults.carried += 1;
        if self.loses() {
            self.faults.lost += 1;
            return [None, None];
        }
        let mut leaves = now;
        if let Some(capacity) = self.config.capacity {
            let begins = self.busy_until.max(now);
            if begins - now > self.config.queue {
                self.faults.overflowed += 1;
                return [None, None];
            }
            leaves = begins + Duration::from_micros(size_bytes as u64 * 8_000_000 / capacity);
            self.busy_until = leaves;
        }
        let arrives = self.arrival(leaves);
        self.faults.reordered += u64::from(arrives < self.latest);
        self.latest = self.latest.max(arrives);
        let is_double = self.random.random_bool(self.config.duplication);
        self.faults.duplicated += u64::from(is_double);
        [Some(arrives), is_double.then(|| self.arrival(leaves))]
    }

    /// What waits, in time.
    pub(crate) fn queue(&self, now: Instant) -> Duration {
        self.busy_until.saturating_duration_since(now)
    }

    fn arrival(&mut self, leaves: Instant) -> Instant {
        leaves + self.config.delay + self.config.jitter.mul_f64(self.random.random_range(0.0..1.0))
    }

    fn loses(&mut self) -> bool {
        match self.config.loss {
            Loss::None => false,
            Loss::All => true,
            Loss::Random(share) => self.random.random_bool(share),
            Loss::Bursts { begins, ends } => {
                let turns = if self.is_in_burst { ends } else { begins };
                self.is_in_burst ^= self.random.random_bool(turns);
                self.is_in_burst
            }
        }
    }
}
