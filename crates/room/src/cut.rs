//! Stream rules on running publications: what is cut, and when it is given back.

use std::collections::BTreeSet;

use odeum_types::{StreamId, UnixMillis};

use crate::event::StreamCloseReason;
use crate::notice::{Notice, PlayEndReason, PublishEndReason, PublishState, StreamDeleteReason};
use crate::output::{MediaCommand, Output};
use crate::room::Room;
use crate::rule::CutMedia;

/// What of a publication is cut, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCut {
    /// Which media.
    pub media: CutMedia,
    /// When it is given back; the room sees to it.
    pub until: UnixMillis,
}

/// When cuts end, the earliest first. Holds exactly the publications that have one, so it is no
/// larger than they are many.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// Ends, with their streams.
    ends: BTreeSet<(UnixMillis, StreamId)>,
}

impl Cuts {
    /// When the next cut ends.
    pub(crate) fn next(&self) -> Option<UnixMillis> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// A publication's cut is another one now.
    pub(crate) fn replace(
        &mut self,
        stream: &StreamId,
        old: Option<StreamCut>,
        new: Option<StreamCut>,
    ) {
        if let Some(old) = old {
            self.ends.remove(&(old.until, stream.clone()));
        }
        if let Some(new) = new {
            self.ends.insert((new.until, stream.clone()));
        }
    }
}

impl Room {
    /// A stream rule was set or taken away: the media of a running publication follows at once. Of
    /// a stream that nobody publishes here: nothing happens, a publication to come asks by itself.
    pub fn cut_stream(&mut self, stream: &StreamId, cut: Option<StreamCut>) {
        let publication = self.streams.get_mut(stream).and_then(|own| own.publication.as_mut());
        let Some(publication) = publication else { return };
        let old = std::mem::replace(&mut publication.cut, cut);
        let peer = publication.transport.peer();
        self.cuts.replace(stream, old, cut);
        let (before, now) = (old.map(|cut| cut.media), cut.map(|cut| cut.media));
        if let Some(peer) = peer.filter(|_| before != now) {
            self.outputs.push_back(Output::Media(MediaCommand::Cut { peer, media: now }));
        }
    }

    /// The stream was forbidden in the whole app (ForbidRTCStream): its publication ends with its
    /// media, everybody is told. Of a stream that nobody publishes here: nothing happens.
    pub fn forbid_stream(&mut self, now: UnixMillis, stream: &StreamId) {
        let publication = self.streams.get(stream).and_then(|own| own.publication.as_ref());
        let Some(publisher) = publication.map(|publication| publication.session) else { return };
        let (close, players) = (StreamCloseReason::Forbidden, PlayEndReason::Forbidden);
        let gone = self.end_publication(now, stream, close, players);
        self.tell_streams_deleted(gone.into_iter().collect(), StreamDeleteReason::Deleted);
        let state = PublishState::Ended(PublishEndReason::Forbidden);
        self.tell(publisher, Notice::PublisherState { stream: stream.clone(), state });
    }

    /// Gives back what was cut until now or earlier.
    pub(crate) fn end_cuts(&mut self, now: UnixMillis) {
        while let Some((until, stream)) = self.cuts.ends.first().cloned() {
            if until > now {
                return;
            }
            self.cut_stream(&stream, None);
            // A cut whose publication is gone was taken out with it; this keeps the loop finite.
            self.cuts.ends.remove(&(until, stream));
        }
    }
}
