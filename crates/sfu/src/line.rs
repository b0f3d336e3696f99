//! Lines: the ways to the sessions that play. All that one session plays comes over one line, so
//! that what reaches it is estimated once for all of its transports (as in RFC 8699), and what one
//! session's line suffers no other session sees.

use std::time::{Duration, Instant};

use odeum_bwe::{Estimator, EstimatorConfig, Flow};
use odeum_types::{Bitrate, SessionId};
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::PeerKey;
use crate::deal::Demand;
use crate::repairs::{Held, Repairs};

/// Least time between two deals of a line whose estimate has not fallen: feedback of all its
/// transports comes more often than choices matter.
const DEAL_INTERVAL: Duration = Duration::from_millis(100);

/// Where a line lies in the worker's slab.
pub(crate) type LineKey = usize;

/// What several transports of one session share.
pub(crate) struct Line {
    /// Whose; none of a peer that plays alone.
    session: Option<SessionId>,
    /// What reaches it.
    pub(crate) estimator: Estimator,
    /// What is sent again over it.
    repairs: Repairs,
    /// The peers that play over it; at most the plays of a session.
    members: Vec<PeerKey>,
    /// When it was last dealt out, what reached it then, and what of that was dealt for what is
    /// sent
    /// the first time.
    dealt: Option<(Instant, Bitrate, Bitrate)>,
}

impl Line {
    /// The peer at this place.
    pub(crate) fn member(&self, at: usize) -> Option<PeerKey> {
        self.members.get(at).copied()
    }

    /// What may be dealt out now; none before anything is known of it.
    pub(crate) fn budget(&self, now: Instant) -> Option<Bitrate> {
        self.estimator.is_settled().then(|| self.estimator.budget(now))
    }

    /// Whether anything is known of it.
    pub(crate) fn is_settled(&self) -> bool {
        self.estimator.is_settled()
    }

    /// What may be sent again now.
    pub(crate) fn repairs_at(&mut self, now: Instant) -> &mut Repairs {
        let dealt = self.dealt.map_or(Bitrate::default(), |(_, _, used)| used);
        let held = Held::of(now, &self.estimator);
        self.repairs.refill(now, held, self.estimator.estimate(), dealt);
        &mut self.repairs
    }

    /// What is sent again of late, and so cannot be dealt out. What is lost by chance is part of
    /// what the estimate is of.
    pub(crate) fn again(&self, now: Instant) -> Bitrate {
        match Held::of(now, &self.estimator) {
            Held::No => Bitrate::default(),
            Held::AfterFall | Held::Draining => self.repairs.rate(now),
        }
    }

    /// Whether it should be dealt out again: because that is some time ago, or at once because less
    /// reaches it than was dealt.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let Some((at, budget, used)) = self.dealt else { return true };
        let is_less = self.estimator.budget(now) < used.min(budget);
        is_less || now.saturating_duration_since(at) >= DEAL_INTERVAL
    }

    /// So much was dealt of what reaches it, without what is sent again.
    pub(crate) fn note_deal(&mut self, now: Instant, used: Bitrate) {
        self.dealt = Some((now, self.estimator.budget(now), used));
    }
}

/// All lines of a worker; at most one per peer.
#[derive(Default)]
pub(crate) struct Lines {
    /// The lines.
    lines: Slab<Line>,
    /// By session.
    by_session: FxHashMap<SessionId, LineKey>,
    /// What is dealt among, kept for its memory.
    pub(crate) demands: Vec<Demand>,
}

impl Lines {
    /// A peer plays over the line of `session`, or over one of its own.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        config: EstimatorConfig,
        session: Option<SessionId>,
        peer: PeerKey,
    ) -> (LineKey, Flow) {
        let known = session.and_then(|session| self.by_session.get(&session).copied());
        let key = known.unwrap_or_else(|| {
            let estimator = Estimator::new(now, config);
            let (repairs, members) = (Repairs::new(now), Vec::with_capacity(1));
            self.lines.insert(Line { session, estimator, repairs, members, dealt: None })
        });
        if let Some(session) = session {
            self.by_session.insert(session, key);
        }
        let line = &mut self.lines[key];
        line.members.push(peer);
        (key, line.estimator.add_flow())
    }

    /// A peer has gone; its line goes with the last one.
    pub(crate) fn leave(&mut self, key: LineKey, peer: PeerKey, flow: &Flow) {
        let Some(line) = self.lines.get_mut(key) else { return };
        line.members.retain(|member| *member != peer);
        line.estimator.remove(flow);
        if line.members.is_empty() {
            let line = self.lines.remove(key);
            if let Some(session) = line.session {
                self.by_session.remove(&session);
            }
        }
    }

    pub(crate) fn get(&self, key: LineKey) -> Option<&Line> {
        self.lines.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: LineKey) -> Option<&mut Line> {
        self.lines.get_mut(key)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.lines.len(), self.by_session.len())
    }
}
