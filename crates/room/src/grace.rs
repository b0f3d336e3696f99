//! The grace of a listed stream whose media connection ended: it keeps its place in the list, so
//! that a page that is loaded again or a network that breaks for a moment is not a loss (ADR 8).

use std::collections::BTreeSet;

use odeum_types::{StreamId, UnixMillis};

use crate::event::StreamCloseReason;
use crate::notice::{Notice, PlayEndReason, PublishEndReason, PublishState, StreamDeleteReason};
use crate::room::Room;
use crate::stream::{Listing, PublisherTransport};

/// When the graces end, the earliest first. Holds exactly the publications that are
/// [`PublisherTransport::Interrupted`], so it is no larger than they are many.
#[derive(Debug, Default)]
pub(crate) struct Graces {
    /// Ends, with their streams.
    ends: BTreeSet<(UnixMillis, StreamId)>,
}

impl Graces {
    /// When the next grace ends.
    pub(crate) fn next(&self) -> Option<UnixMillis> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// The publication has another transport, or is over.
    pub(crate) fn forget(&mut self, transport: PublisherTransport, stream: &StreamId) {
        if let PublisherTransport::Interrupted { until } = transport {
            self.ends.remove(&(until, stream.clone()));
        }
    }

    /// The stream whose grace ended first, if one has ended.
    fn pop_ended(&mut self, now: UnixMillis) -> Option<StreamId> {
        if self.next()? > now {
            return None;
        }
        self.ends.pop_first().map(|(_, stream)| stream)
    }
}

impl Room {
    /// The transport of a publication is gone. A stream that is in the list waits for its publisher
    /// and its players are told to play it again; the others and the publisher hear nothing yet.
    /// A publication of which nobody else knows ends at once: one that has never connected, whose
    /// new transport did not, or that DeleteStream took out of the list.
    pub(crate) fn publisher_lost(&mut self, now: UnixMillis, id: &StreamId) {
        let until = now.after(self.config.media_grace);
        let Some(stream) = self.streams.get_mut(id) else { return };
        let Some(publication) = &mut stream.publication else { return };
        let was_connected = matches!(publication.transport, PublisherTransport::Connected(_));
        if !was_connected || !matches!(stream.listing, Listing::Published(_)) {
            self.lose_publication(now, id);
            return;
        }
        publication.transport = PublisherTransport::Interrupted { until };
        self.graces.ends.insert((until, id.clone()));
        self.end_plays(id, PlayEndReason::PublisherReplaced);
    }

    /// Ends the publications whose grace is over.
    pub(crate) fn end_graces(&mut self, now: UnixMillis) {
        while let Some(stream) = self.graces.pop_ended(now) {
            self.lose_publication(now, &stream);
        }
    }

    fn lose_publication(&mut self, now: UnixMillis, id: &StreamId) {
        let publication = self.streams.get(id).and_then(|stream| stream.publication.as_ref());
        let Some(publisher) = publication.map(|publication| publication.session) else { return };
        let (close, players) = (StreamCloseReason::MediaLost, PlayEndReason::PublisherGone);
        let gone = self.end_publication(now, id, close, players);
        self.tell_streams_deleted(gone.into_iter().collect(), StreamDeleteReason::MediaLost);
        let state = PublishState::Ended(PublishEndReason::MediaLost);
        self.tell(publisher, Notice::PublisherState { stream: id.clone(), state });
    }
}
