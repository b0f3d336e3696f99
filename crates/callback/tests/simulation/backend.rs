//! The backend: what its receivers have got, and what they must have got in the end.

use std::collections::{BTreeMap, BTreeSet};

use odeum_callback::Attempt;
use odeum_room::Event;
use odeum_store::{CallbackNumber, CallbackState, Change, Reader, Round, Selection};
use odeum_types::{RoomId, RoomSessionId};

use crate::counts::Faults;
use crate::history::History;

/// Everything about the callbacks that were made durable.
#[derive(Default)]
pub(crate) struct Backend {
    /// What each one stands for, in the order of recording.
    events: BTreeMap<CallbackNumber, Event>,
    /// How often each one arrived.
    arrived: BTreeMap<CallbackNumber, u64>,
    /// Those that the dispatcher knows not to have arrived yet, by room.
    open: BTreeMap<RoomId, BTreeSet<CallbackNumber>>,
    /// Of these, those that stepped aside.
    late: BTreeSet<CallbackNumber>,
}

impl Backend {
    /// A callback was made durable.
    pub(crate) fn expect(&mut self, number: CallbackNumber, event: Event) {
        if let Some((last, _)) = self.events.last_key_value() {
            assert!(number > *last, "numbers grow: {number} after {last}");
        }
        self.open.entry(event.room.clone()).or_default().insert(number);
        self.events.insert(number, event);
    }

    /// The last one that was made durable.
    pub(crate) fn last(&self) -> CallbackNumber {
        self.events.last_key_value().map_or(CallbackNumber(0), |(number, _)| *number)
    }

    /// An attempt begins: whatever came before in its room has arrived or stepped aside.
    pub(crate) fn begins(&self, attempt: &Attempt) {
        if attempt.is_late || attempt.round != Round::FIRST {
            return;
        }
        let number = attempt.number;
        let open = &self.open[&self.events[&number].room];
        let earlier = open.range(..number).find(|earlier| !self.late.contains(earlier));
        assert_eq!(earlier, None, "{number} is sent before it");
    }

    /// It has arrived, whatever the sender hears of that.
    pub(crate) fn arrives(&mut self, number: CallbackNumber, faults: &mut Faults) {
        let times = self.arrived.entry(number).or_default();
        *times += 1;
        if *times == 1 {
            faults.delivered += 1;
        } else {
            faults.repeated += 1;
        }
    }

    /// The dispatcher says what became of callbacks.
    pub(crate) fn follow(&mut self, changes: &[Change], faults: &mut Faults) {
        for change in changes {
            match change {
                Change::Attempted(attempted) if attempted.state == CallbackState::Late => {
                    faults.stepped_aside += u64::from(self.late.insert(attempted.number));
                }
                Change::Finished(finished) => {
                    assert_eq!(finished.state, CallbackState::Delivered, "{finished:?}");
                    assert!(self.arrived.contains_key(&finished.number), "it never arrived");
                    let room = &self.events[&finished.number].room;
                    if let Some(open) = self.open.get_mut(room) {
                        open.remove(&finished.number);
                    }
                    self.late.remove(&finished.number);
                }
                Change::Attempted(_) => {}
                other => panic!("a dispatcher does not say {other:?}"),
            }
        }
    }

    /// The sender begins anew with what the store knows, which may be less than was known.
    pub(crate) fn begin_anew(&mut self, reader: &Reader) {
        self.open.clear();
        self.late.clear();
        for callback in reader.pending(CallbackNumber(0), u32::MAX).unwrap() {
            if callback.state == CallbackState::Late {
                self.late.insert(callback.number);
            }
            // What is replayed goes beside the present.
            if callback.round == Round::FIRST {
                self.open.entry(callback.room).or_default().insert(callback.number);
            }
        }
    }

    /// At the end: all that was acknowledged is there, has arrived, and makes legal histories.
    pub(crate) fn check(&self, reader: &Reader, faults: &mut Faults) {
        let rows = reader.history(&Selection::default(), None, u32::MAX).unwrap();
        let stored: BTreeSet<CallbackNumber> = rows.iter().map(|row| row.number).collect();
        assert!(stored.iter().eq(self.events.keys()), "what is stored is what was acknowledged");
        for row in rows {
            assert_eq!(row.state, CallbackState::Delivered, "{row:?}");
            assert!(self.arrived.contains_key(&row.number), "never arrived: {row:?}");
        }
        let mut histories: BTreeMap<RoomSessionId, History> = BTreeMap::new();
        for event in self.events.values() {
            histories.entry(event.room_session).or_default().take(event);
        }
        for history in histories.values() {
            history.assert_over();
        }
        faults.rooms += histories.len() as u64;
    }
}
