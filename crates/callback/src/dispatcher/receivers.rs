//! Receivers: what is due for each, and how many attempts are under way.

use std::collections::VecDeque;
use std::sync::Arc;

use odeum_store::CallbackNumber;
use odeum_types::AppId;
use rustc_hash::FxHashMap;

/// Where callbacks go: one app's URL. Two apps with the same URL do not share it, so that one's
/// dead paths are not the other's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Receiver {
    pub(super) app: AppId,
    pub(super) url: Arc<str>,
}

/// One receiver.
#[derive(Debug, Default)]
struct Queue {
    /// Due, in the order in which they became so. At most one of each lane, and those that go
    /// alone.
    ready: VecDeque<CallbackNumber>,
    /// Attempts under way.
    under_way: usize,
    /// Whether its last attempt failed.
    is_failing: bool,
    /// Whether it stands in `Receivers::turns`.
    has_turn: bool,
}

/// All receivers that something is due for or under way to.
#[derive(Debug)]
pub(super) struct Receivers {
    /// Each receiver; one with nothing is forgotten.
    queues: FxHashMap<Receiver, Queue>,
    /// Those that something is due for and that take one more: one attempt each, in turn.
    turns: VecDeque<Receiver>,
    /// Attempts under way in all.
    under_way: usize,
    /// Attempts under way to one.
    each_max: usize,
    /// Attempts under way in all.
    all_max: usize,
}

impl Receivers {
    pub(super) fn new(each_max: usize, all_max: usize) -> Self {
        Self {
            queues: FxHashMap::default(),
            turns: VecDeque::new(),
            under_way: 0,
            each_max,
            all_max,
        }
    }

    /// A callback is due.
    pub(super) fn ready(&mut self, receiver: Receiver, number: CallbackNumber) {
        self.queues.entry(receiver.clone()).or_default().ready.push_back(number);
        self.give_turn(&receiver);
    }

    /// A callback is not due any more.
    pub(super) fn not_ready(&mut self, receiver: &Receiver, number: CallbackNumber) {
        if let Some(queue) = self.queues.get_mut(receiver) {
            queue.ready.retain(|other| *other != number);
        }
        self.forget_if_idle(receiver);
    }

    /// The next callback whose attempt may begin; it counts as under way from here.
    pub(super) fn take(&mut self) -> Option<(Receiver, CallbackNumber)> {
        while self.under_way < self.all_max {
            let receiver = self.turns.pop_front()?;
            let Some(queue) = self.queues.get_mut(&receiver) else { continue };
            queue.has_turn = false;
            if queue.under_way >= self.each_max {
                continue;
            }
            let Some(number) = queue.ready.pop_front() else { continue };
            queue.under_way += 1;
            self.under_way += 1;
            self.give_turn(&receiver);
            return Some((receiver, number));
        }
        None
    }

    /// An attempt has ended, and the receiver took it or not.
    pub(super) fn finished(&mut self, receiver: &Receiver, is_taken: bool) {
        if let Some(queue) = self.queues.get_mut(receiver) {
            queue.is_failing = !is_taken;
        }
        self.skipped(receiver);
    }

    /// An attempt was not made after all.
    pub(super) fn skipped(&mut self, receiver: &Receiver) {
        let Some(queue) = self.queues.get_mut(receiver) else { return };
        queue.under_way -= 1;
        self.under_way -= 1;
        self.give_turn(receiver);
        self.forget_if_idle(receiver);
    }

    /// Whether its last attempt failed.
    pub(super) fn is_failing(&self, receiver: &Receiver) -> bool {
        self.queues.get(receiver).is_some_and(|queue| queue.is_failing)
    }

    /// Attempts under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    fn give_turn(&mut self, receiver: &Receiver) {
        let Some(queue) = self.queues.get_mut(receiver) else { return };
        if !queue.has_turn && !queue.ready.is_empty() && queue.under_way < self.each_max {
            queue.has_turn = true;
            self.turns.push_back(receiver.clone());
        }
    }

    fn forget_if_idle(&mut self, receiver: &Receiver) {
        let idle = |queue: &Queue| queue.ready.is_empty() && queue.under_way == 0;
        if self.queues.get(receiver).is_some_and(idle)
            && let Some(queue) = self.queues.remove(receiver)
            && queue.has_turn
        {
            self.turns.retain(|other| other != receiver);
        }
    }
}
