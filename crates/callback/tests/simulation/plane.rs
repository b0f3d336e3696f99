//! One server's control plane: the world's events and rules go to the recorder, the store, the
//! dispatcher and the receivers, each at its own pace.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use odeum_callback::{
    AppCallbacks, Attempt, CallbackEvent, Dispatcher, Limits, Outcome, Recordable, Recorder,
    RetryPlan, Settings,
};
use odeum_node::{NotRecorded, Record};
use odeum_room::{Event, RoomConfig, RuleChange};
use odeum_store::{Change, Selection, Store, Which};
use odeum_types::{AppId, Redacted, RoomId, UnixMillis};
use tempfile::TempDir;

use crate::backend::Backend;
use crate::counts::Faults;
use crate::operation::Operation;
use crate::random::Random;
use crate::world::World;

/// The world's app.
pub(crate) const APP: AppId = AppId(1);

/// Entries in the spill from which on calls are refused.
const SPILL_MAX: usize = 12;

/// Where callbacks go: one receiver for streams, one for the rest.
const URLS: [&str; 2] = ["http://rooms/", "http://streams/"];

pub(crate) struct Plane {
    pub(crate) world: World,
    pub(crate) folder: TempDir,
    /// None only while the process is down.
    pub(crate) store: Option<Store>,
    pub(crate) recorder: Recorder<Token>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) settings: Arc<Settings>,
    pub(crate) backend: Backend,
    pub(crate) under_way: Vec<Attempt>,
    /// The rule that waits to be durable; a node makes one after the other.
    pub(crate) rule: Option<RuleChange>,
    /// What that rule's entry was told.
    pub(crate) rule_told: Told,
    store_fails: bool,
    /// By receiver.
    down: [bool; 2],
    pub(crate) faults: Faults,
}

/// Where the outcome of a rule's entry is told.
type Told = Rc<RefCell<Option<Result<(), NotRecorded>>>>;

/// Something that waits to be durable.
pub(crate) struct Token {
    record: Record,
    /// Where a rule's outcome is told.
    told: Option<Told>,
}

impl Recordable for Token {
    fn record(&self) -> &Record {
        &self.record
    }

    fn acknowledge(&mut self, outcome: Result<(), NotRecorded>) {
        if let Some(told) = self.told.take() {
            *told.borrow_mut() = Some(outcome);
        }
    }
}

impl Plane {
    pub(crate) fn new(random: &mut Random) -> Self {
        let stream_events = [CallbackEvent::StreamCreate, CallbackEvent::StreamClose];
        let callbacks = AppCallbacks {
            secret: Redacted::new("secret".to_owned()),
            url: Some(URLS[0].into()),
            urls: stream_events.map(|event| (event, Some(URLS[1].into()))).into(),
            retry: RetryPlan::Long,
        };
        let settings = Arc::new(Settings { apps: BTreeMap::from([(APP, callbacks)]) });
        // In memory where there is such a folder: what a disk keeps is the store's own tests'.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let config = RoomConfig { users_max: 3 + random.below(3), ..RoomConfig::default() };
        Self {
            world: World::new(config),
            store: Some(Store::open(folder.path()).unwrap()),
            folder,
            recorder: Recorder::default(),
            dispatcher: Dispatcher::new(limits(), Arc::clone(&settings)),
            settings,
            backend: Backend::default(),
            under_way: Vec::new(),
            rule: None,
            rule_told: Rc::default(),
            store_fails: false,
            down: [false; 2],
            faults: Faults::default(),
        }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.world.node.now
    }

    /// One thing happens.
    pub(crate) fn step(&mut self, random: &mut Random) {
        match random.below(200) {
            0..110 => self.operate(Operation::from_numbers(random.numbers())),
            110..140 => self.write(),
            140..165 => self.send(1 + random.below(6)),
            165..190 => self.hear(random),
            190..192 => self.store_fails = !self.store_fails && random.below(2) == 0,
            192..196 => {
                let receiver = random.below(2);
                self.down[receiver] = !self.down[receiver];
                self.faults.receivers_down += u64::from(self.down[receiver]);
            }
            196 => self.replay(random),
            197 => self.crash_after_commit(random),
            198 if random.below(2) == 0 => self.crash(random),
            _ => self.operate(Operation::Advance { seconds: 30 }),
        }
    }

    /// Ends everything in order, with all receivers up, and checks what must have come of it.
    pub(crate) fn run_out(mut self) -> Faults {
        (self.store_fails, self.down) = (false, [false; 2]);
        self.write();
        self.settle_rule();
        for device in 0..crate::operation::DEVICES {
            self.operate(Operation::Abandon { device });
        }
        self.operate(Operation::Advance { seconds: 1_000 });
        let mut turns = 0;
        while !self.is_idle() {
            self.write();
            self.send(usize::MAX);
            if self.under_way.is_empty() {
                let timers = [self.dispatcher.poll_timeout(), self.recorder.poll_timeout()];
                if let Some(at) = timers.into_iter().flatten().min() {
                    self.world.node.now = self.now().max(at);
                }
            }
            for attempt in std::mem::take(&mut self.under_way) {
                self.arrives(&attempt, Outcome::Delivered("200".into()));
            }
            turns += 1;
            assert!(turns < 100_000, "it does not end: {:?}", self.dispatcher.backlog());
        }
        let reader = self.store.as_ref().unwrap().reader().unwrap();
        assert_eq!(reader.open_rooms().unwrap(), [], "the ledger is closed");
        self.backend.check(&reader, &mut self.faults);
        self.check_rules_of_store(None);
        self.faults
    }

    fn is_idle(&self) -> bool {
        let backlog = self.dispatcher.backlog();
        self.recorder.is_empty() && backlog.waiting == 0 && self.under_way.is_empty()
    }

    /// Something happens in the rooms, unless it has to be refused.
    fn operate(&mut self, operation: Operation) {
        if self.recorder.waiting() >= SPILL_MAX && needs_admission(operation) {
            self.faults.calls_refused += 1;
            return;
        }
        match operation {
            Operation::Crash => {}
            Operation::ChangeRule { room, stream, user, seconds, rule } => {
                if self.rule.is_none()
                    && let Some(change) = self.world.rule_change(room, stream, user, seconds, rule)
                {
                    let record = Record::Rule { app: APP, change: change.clone() };
                    self.rule = Some(change);
                    let told = Some(Rc::clone(&self.rule_told));
                    self.recorder.handle_entry(Token { record, told });
                    self.settle_rule();
                }
            }
            other => {
                self.world.run(other);
                self.record_events();
            }
        }
    }

    /// Hands over what happened: the events of one room as one.
    pub(crate) fn record_events(&mut self) {
        let mut by_room: BTreeMap<RoomId, Vec<Event>> = BTreeMap::new();
        for event in std::mem::take(&mut self.world.events) {
            by_room.entry(event.room.clone()).or_default().push(event);
        }
        for events in by_room.into_values() {
            self.recorder.handle_entry(Token { record: Record::Events(events), told: None });
        }
    }

    /// The rule that waited comes into force, or is refused.
    fn settle_rule(&mut self) {
        let Some(outcome) = self.rule_told.borrow_mut().take() else { return };
        let change = self.rule.take().expect("only a rule that waits is told of");
        match outcome {
            Ok(()) => {
                self.faults.rules_in_force += 1;
                self.world.enforce(change);
                self.record_events();
            }
            Err(NotRecorded) => self.faults.rules_refused += 1,
        }
    }

    /// The writer's turn: all that waits is stored, or the store fails.
    pub(crate) fn write(&mut self) {
        while let Some(group) = self.recorder.poll_group(self.now(), &self.settings) {
            if self.store_fails {
                self.faults.store_errors += 1;
                self.recorder.not_stored(self.now());
                self.settle_rule();
                return;
            }
            let events: Vec<Event> = events_of(&group.changes);
            let numbers = self.store.as_mut().unwrap().commit(&group.changes).unwrap();
            let recorded = self.recorder.stored(group, numbers);
            assert_eq!(recorded.len(), events.len(), "every event has its callback");
            for (recorded, event) in recorded.into_iter().zip(events) {
                self.backend.expect(recorded.callback.number, event);
                let changes = self.dispatcher.enqueue(self.now(), recorded.callback);
                self.follow(changes);
            }
            self.settle_rule();
        }
    }

    /// The sender's turn: begins at most `count` attempts.
    fn send(&mut self, count: usize) {
        for _ in 0..count {
            let mut changes = Vec::new();
            let attempt = self.dispatcher.poll_attempt(self.now(), &mut changes);
            self.follow(changes);
            let Some(attempt) = attempt else { break };
            self.backend.begins(&attempt);
            self.under_way.push(attempt);
        }
    }

    /// Some of the attempts under way end.
    fn hear(&mut self, random: &mut Random) {
        for _ in 0..1 + random.below(8) {
            if self.under_way.is_empty() {
                return;
            }
            let attempt = self.under_way.swap_remove(random.below(self.under_way.len()));
            let is_down = self.down[usize::from(&*attempt.url == URLS[1])];
            match random.below(12) {
                0 if !is_down => {
                    self.faults.answers_lost += 1;
                    self.arrives(&attempt, Outcome::Failed("no answer".into()));
                }
                1 => self.fails(&attempt),
                _ if is_down => self.fails(&attempt),
                _ => self.arrives(&attempt, Outcome::Delivered("200".into())),
            }
        }
    }

    fn arrives(&mut self, attempt: &Attempt, outcome: Outcome) {
        self.backend.arrives(attempt.number, &mut self.faults);
        let changes = self.dispatcher.handle_outcome(self.now(), attempt, outcome);
        self.follow(changes);
    }

    fn fails(&mut self, attempt: &Attempt) {
        self.faults.attempts_failed += 1;
        let outcome = Outcome::Failed("503".into());
        let changes = self.dispatcher.handle_outcome(self.now(), attempt, outcome);
        self.follow(changes);
    }

    /// What became of callbacks goes to the backend's books and to the recorder.
    pub(crate) fn follow(&mut self, changes: Vec<Change>) {
        self.backend.follow(&changes, &mut self.faults);
        self.recorder.handle_progress(changes);
    }

    /// An operator has a room's callbacks sent again.
    fn replay(&mut self, random: &mut Random) {
        self.write();
        if self.store_fails {
            return;
        }
        let room = RoomId::parse(&format!("room-{}", random.below(3))).unwrap();
        let selection = Selection { room: Some(room), ..Selection::default() };
        let now = self.now();
        let store = self.store.as_mut().unwrap();
        let ended = store.reader().unwrap().select(&selection, Which::Ended).unwrap();
        let replayed = store.replay(&ended.numbers, now).unwrap();
        self.faults.replayed += replayed.len() as u64;
        for callback in replayed {
            let changes = self.dispatcher.enqueue(now, callback);
            self.follow(changes);
        }
    }
}

pub(crate) fn limits() -> Limits {
    Limits { attempts_per_receiver_max: 4, ..Limits::default() }
}

/// The events among changes, in order.
pub(crate) fn events_of(changes: &[Change]) -> Vec<Event> {
    let events = changes.iter().filter_map(|change| match change {
        Change::Happened(event) => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

/// Whether a node may refuse it: time, the network and what clients have heard come regardless.
fn needs_admission(operation: Operation) -> bool {
    !matches!(
        operation,
        Operation::Advance { .. }
            | Operation::Deliver { .. }
            | Operation::Drop { .. }
            | Operation::NoticeDrop { .. }
            | Operation::Abandon { .. }
            | Operation::MediaClosed { .. }
    )
}
