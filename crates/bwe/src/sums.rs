//! What the flows of an estimate count for together.

use odeum_types::Bitrate;

use crate::flow::Part;
use crate::rate_control::Throughput;
use crate::trendline::Usage;

/// Sums over all flows, kept up as each of them changes.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// What is sent.
    sent: Bitrate,
    /// What arrives.
    acknowledged: Bitrate,
    /// What arrived just now.
    recent: Bitrate,
    /// Flows of which it is known what is sent.
    sending: u32,
    /// Flows of which it is known what arrives.
    arriving: u32,
    /// Flows whose queue grows.
    over: u32,
    /// Flows that see a queue stand.
    standing: u32,
}

impl Sums {
    /// A flow that counted for `before` counts for `after` now.
    pub(crate) fn replace(&mut self, before: Part, after: Part) {
        let over = |part: Part| u32::from(part.usage == Usage::Over);
        let known = |rate: Option<Bitrate>| u32::from(rate.is_some());
        let moved = |sum: Bitrate, before: Option<Bitrate>, after: Option<Bitrate>| {
            sum.minus(before.unwrap_or_default()).plus(after.unwrap_or_default())
        };
        self.sent = moved(self.sent, before.sent, after.sent);
        self.acknowledged = moved(self.acknowledged, before.acknowledged, after.acknowledged);
        self.recent = moved(self.recent, before.recent, after.recent);
        self.sending = self.sending - known(before.sent) + known(after.sent);
        self.arriving = self.arriving - known(before.acknowledged) + known(after.acknowledged);
        self.over = self.over - over(before) + over(after);
        self.standing = self.standing - u32::from(before.stands) + u32::from(after.stands);
    }

    /// What is sent and what arrives, once anything is known of that.
    pub(crate) fn throughput(&self) -> Option<Throughput> {
        let sent = (self.sending > 0).then_some(self.sent);
        (self.arriving > 0).then_some(Throughput { sent, acknowledged: self.acknowledged })
    }

    /// The same, where a queue stands: what arrived before it did says nothing of the way.
    pub(crate) fn narrowed(&self) -> Option<Throughput> {
        let least = |known: Throughput| known.acknowledged.min(self.recent);
        self.throughput().map(|known| Throughput { acknowledged: least(known), ..known })
    }

    /// Whether any flow sees a queue stand.
    pub(crate) fn is_standing(&self) -> bool {
        self.standing > 0
    }

    /// Whether the queue of any flow grows.
    pub(crate) fn is_over(&self) -> bool {
        self.over > 0
    }
}
