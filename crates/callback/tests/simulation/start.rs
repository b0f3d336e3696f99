//! The process crashes and another one begins with what the store has.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use odeum_callback::{Dispatcher, Recorder, close_open_rooms, closing_events, take_up};
use odeum_room::{RuleChange, Rules, UserRuleKind};
use odeum_store::Store;
use odeum_types::{RoomId, StreamId, UnixMillis};

use crate::plane::{APP, Plane, events_of, limits};
use crate::random::Random;
use crate::world::{ROOMS, STREAMS};

impl Plane {
    /// The next group is stored, and nobody hears of it any more.
    pub(crate) fn crash_after_commit(&mut self, random: &mut Random) {
        let now = self.now();
        if let Some(group) = self.recorder.poll_group(now, &self.settings) {
            let events = events_of(&group.changes);
            let numbers = self.store.as_mut().unwrap().commit(&group.changes).unwrap();
            assert_eq!(numbers.len(), events.len());
            for (number, event) in numbers.into_iter().zip(events) {
                self.backend.expect(number, event);
            }
            self.faults.crashes_after_commit += 1;
            // What is in the group is safe and still waits: it does not count as lost.
            drop(self.recorder.stored(group, Vec::new()));
        }
        self.crash(random);
    }

    /// The process is gone; what it had not stored goes with it.
    pub(crate) fn crash(&mut self, random: &mut Random) {
        self.faults.crashes += 1;
        for attempt in std::mem::take(&mut self.under_way) {
            if random.below(2) == 0 {
                self.faults.arrived_before_crash += 1;
                self.backend.arrives(attempt.number, &mut self.faults);
            }
        }
        let lost = self.recorder.waiting() as u64;
        match self.recorder.is_failing() {
            true => self.faults.spilled_events_lost += lost,
            false => self.faults.unacknowledged_events_lost += lost,
        }
        self.recorder = Recorder::default();
        self.store = None;
        self.store = Some(Store::open(self.folder.path()).unwrap());

        let in_doubt = self.rule.take();
        self.rule_told = Rc::default();
        self.faults.rules_in_doubt += u64::from(in_doubt.is_some());
        let rules = self.check_rules_of_store(in_doubt);
        let now = self.set_clock(random);
        self.close_open_rooms(now);
        self.world.crash(now, rules);
        self.dispatcher = Dispatcher::new(limits(), self.settings.clone());
        let reader = self.store.as_ref().unwrap().reader().unwrap();
        self.backend.begin_anew(&reader);
        let changes = take_up(&reader, &mut self.dispatcher, now).unwrap();
        self.follow(changes);
    }

    /// Where the wall clock is after the start.
    fn set_clock(&mut self, random: &mut Random) -> UnixMillis {
        match random.below(4) {
            0 => {
                self.faults.clock_set_back += 1;
                UnixMillis(self.now().0.saturating_sub(random.below(600_000) as u64))
            }
            1 => {
                self.faults.clock_set_ahead += 1;
                self.now().after(Duration::from_secs(random.below(3_600) as u64))
            }
            _ => self.now().after(Duration::from_secs(1)),
        }
    }

    /// What the ledger shows as open is closed; the backend is to hear of it.
    fn close_open_rooms(&mut self, now: UnixMillis) {
        let store = self.store.as_mut().unwrap();
        let open = store.reader().unwrap().open_rooms().unwrap();
        let rooms = open.len();
        let events: Vec<_> = open.into_iter().flat_map(|room| closing_events(now, room)).collect();
        let mut recorded = Vec::new();
        assert_eq!(close_open_rooms(store, &self.settings, now, &mut recorded).unwrap(), rooms);
        assert_eq!(recorded.len(), events.len());
        let reader = store.reader().unwrap();
        assert_eq!(reader.open_rooms().unwrap(), [], "all of it is closed");
        let added = reader.pending(self.backend.last(), u32::MAX).unwrap();
        assert_eq!(added.len(), events.len(), "each closing has its callback");
        for (callback, event) in added.into_iter().zip(events) {
            self.backend.expect(callback.number, event);
        }
    }

    /// The rules of the store are those in force; of a rule in doubt both are right.
    pub(crate) fn check_rules_of_store(&self, in_doubt: Option<RuleChange>) -> Rules {
        let now = self.now();
        let stored = || {
            let mut rules = Rules::default();
            let reader = self.store.as_ref().unwrap().reader().unwrap();
            for (app, change) in reader.rules().unwrap() {
                assert_eq!(app, APP);
                rules.apply(now, change);
            }
            rules
        };
        let (found, in_force) = (stored(), self.world.node.app.rules());
        let is_the_same = listed(now, &found) == listed(now, in_force);
        let with_doubtful = in_doubt.map(|change| {
            let mut without = stored();
            without.apply(now, change);
            // Making the change now makes no difference: it has been made.
            listed(now, &without) == listed(now, &found)
        });
        assert!(
            is_the_same || with_doubtful == Some(true),
            "stored {found:?}, in force {in_force:?}"
        );
        found
    }
}

/// The rules that hold at a time, in words.
fn listed(now: UnixMillis, rules: &Rules) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let kinds = [UserRuleKind::Ip, UserRuleKind::Room, UserRuleKind::User, UserRuleKind::RoomUser];
    for rule in kinds.into_iter().flat_map(|kind| rules.user_rules(kind)) {
        if rule.expires_at > now {
            words.insert(format!("{rule:?}"));
        }
    }
    for stream in (0..STREAMS).map(|stream| StreamId::parse(&format!("stream-{stream}")).unwrap()) {
        if rules.is_forbidden(&stream) {
            words.insert(format!("{stream} is forbidden"));
        }
        for room in (0..ROOMS).map(|room| format!("room-{room}")) {
            let room = RoomId::parse(&room).unwrap();
            words.extend(rules.stream_rule(now, &room, &stream).map(|rule| format!("{rule:?}")));
        }
    }
    words
}
