//! The gate of a track: whether its packets go on, and under which numbers. What is cut leaves no
//! gap, so that viewers neither miss it nor ask for it.

use crate::forwarder::FrameStart;

/// Where a track's gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Packets go on.
    #[default]
    Open,
    /// They do not.
    Cut,
    /// They do again from the next one that a decoder can begin with.
    Resuming,
}

/// Numbers the packets of a track that go on.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Where it stands.
    state: State,
    /// How many of the publisher's numbers were left out so far.
    skipped: u64,
    /// The publisher's number from which on packets go on; older ones were cut, or came before.
    first: u64,
    /// The largest of the publisher's numbers that went on.
    newest: Option<u64>,
}

impl Gate {
    /// Lets nothing more go on.
    pub(crate) fn cut(&mut self) {
        self.state = State::Cut;
    }

    /// Lets packets go on from the next one that a decoder can begin with. Returns whether it was
    /// cut.
    pub(crate) fn resume(&mut self) -> bool {
        let was_cut = self.state == State::Cut;
        if was_cut {
            self.state = State::Resuming;
        }
        was_cut
    }

    /// Whether nothing goes on.
    pub(crate) fn is_cut(&self) -> bool {
        self.state == State::Cut
    }

    /// The number under which the publisher's packet `sequence` goes on; `None` when it does not.
    pub(crate) fn number(&mut self, sequence: u64, frame: FrameStart) -> Option<u64> {
        match (self.state, frame) {
            (State::Cut, _) | (State::Resuming, FrameStart::Other) => return None,
            (State::Resuming, FrameStart::Decodable) => {
                if let Some(newest) = self.newest {
                    // Late, from before the cut.
                    if sequence <= newest {
                        return None;
                    }
                    self.skipped += sequence - newest - 1;
                }
                self.first = sequence;
                self.state = State::Open;
            }
            (State::Open, _) => {}
        }
        if sequence < self.first {
            return None;
        }
        self.newest = self.newest.max(Some(sequence));
        Some(sequence - self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use FrameStart::{Decodable, Other};

    use super::*;

    #[test]
    fn an_open_gate_changes_no_number() {
        let mut gate = Gate::default();
        for sequence in [70_000, 70_002, 70_001, 70_003] {
            assert_eq!(gate.number(sequence, Other), Some(sequence));
        }
    }

    #[test]
    fn what_was_cut_leaves_no_gap_and_video_goes_on_with_a_key_frame() {
        let mut gate = Gate::default();
        assert_eq!(gate.number(10, Decodable), Some(10));
        assert_eq!(gate.number(11, Other), Some(11));
        assert!(!gate.resume(), "it was open");
        gate.cut();
        assert_eq!(gate.number(12, Decodable), None);
        assert_eq!(gate.number(13, Other), None);
        assert!(gate.resume() && !gate.is_cut());
        assert_eq!(gate.number(14, Other), None, "nothing to begin with");
        assert_eq!(gate.number(15, Decodable), Some(12));
        assert_eq!(gate.number(16, Other), Some(13));
        assert_eq!(gate.number(14, Other), None, "it was cut");
        assert_eq!(gate.number(9, Other), None, "its number is not free any more");
        gate.cut();
        gate.resume();
        assert_eq!(gate.number(16, Decodable), None, "late");
        assert_eq!(gate.number(20, Decodable), Some(14));
    }

    #[test]
    fn a_track_that_begins_cut_begins_at_its_first_packet_that_goes_on() {
        let mut gate = Gate::default();
        gate.cut();
        assert_eq!(gate.number(500, Decodable), None);
        gate.resume();
        assert_eq!(gate.number(501, Decodable), Some(501));
        assert_eq!(gate.number(502, Other), Some(502));
    }
}
