//! Nonces and what was answered to them, so that a request never acts twice (ruling 5).
//!
//! The same nonce with the same request gets the stored reply, also while the first is still being
//! answered; with another request it is a replay. A nonce is kept until its request's Timestamp
//! leaves the window; after that the Timestamp itself is refused.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use odeum_types::{AppId, UnixMillis};
use tokio::sync::watch;

use crate::query::Digest;

/// Nonces kept per app; beyond it the oldest leave first.
const NONCES_MAX: usize = 100_000;

/// Replies longer than this are counted as large. Only lists are: replies to calls that change
/// something hold no more than a message.
const LARGE_REPLY_BYTES: usize = 2048;

/// Bytes of large replies kept per app; beyond it the oldest of them are forgotten, and a retry of
/// such a list reads it anew.
const LARGE_REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The nonces of all apps.
///
/// Behind a lock because two connections may bring the same nonce at once and one of them must win;
/// it is held for a few map operations.
#[derive(Debug, Default)]
pub(crate) struct NonceStore {
    /// One entry per app that made an authentic request.
    apps: Mutex<HashMap<AppId, Nonces>>,
}

#[derive(Debug, Default)]
struct Nonces {
    /// What each nonce was used for.
    used: HashMap<Arc<str>, Use>,
    /// Nonces in the order of their use; a number tells a use from an older one of the same nonce.
    order: VecDeque<(Arc<str>, u64)>,
    /// Nonces with large replies and how large they are, oldest first.
    large: VecDeque<(Arc<str>, u64, usize)>,
    /// Sum of those sizes. A reply whose nonce has left counts until its turn comes.
    large_bytes: usize,
    /// Number of the next use.
    next_number: u64,
}

#[derive(Debug)]
struct Use {
    /// The request.
    digest: Digest,
    /// When its Timestamp leaves the window.
    ends_at: UnixMillis,
    /// Which use this is.
    number: u64,
    /// How far its answer is.
    answer: AnswerState,
}

#[derive(Debug)]
enum AnswerState {
    /// Being made; the receiver learns it.
    Running(watch::Receiver<Option<Arc<str>>>),
    /// Made.
    Stored(Arc<str>),
    /// Made, a list too large to keep; may be made again.
    Forgotten,
}

/// What a nonce means for a request.
#[derive(Debug)]
pub(crate) enum Claim {
    /// New: answer it and give the ticket the reply.
    New(Ticket),
    /// Answered before.
    Stored(Arc<str>),
    /// Being answered; `None` stays if that fails.
    Running(watch::Receiver<Option<Arc<str>>>),
    /// Another request used it.
    Replayed,
}

/// The duty to answer a request. Dropped without [`Ticket::complete`], it frees the nonce.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Where the reply goes.
    store: Arc<NonceStore>,
    /// Whose.
    app: AppId,
    /// Under which nonce.
    nonce: Arc<str>,
    /// Which use of it.
    number: u64,
    /// Tells those who wait.
    sender: watch::Sender<Option<Arc<str>>>,
    /// Whether the reply is in the store.
    completed: bool,
}

impl NonceStore {
    /// Looks up a nonce and takes it if it is free. `ends_at` is when the request's Timestamp
    /// leaves the window.
    pub(crate) fn claim(
        self: &Arc<Self>,
        now: UnixMillis,
        app: AppId,
        nonce: &str,
        digest: Digest,
        ends_at: UnixMillis,
    ) -> Claim {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let nonces = apps.entry(app).or_default();
        if let Some(used) = nonces.used.get(nonce).filter(|used| used.ends_at >= now) {
            match (used.digest == digest, &used.answer) {
                (false, _) => return Claim::Replayed,
                (true, AnswerState::Stored(reply)) => return Claim::Stored(Arc::clone(reply)),
                (true, AnswerState::Running(receiver)) => return Claim::Running(receiver.clone()),
                (true, AnswerState::Forgotten) => {}
            }
        }
        let (sender, receiver) = watch::channel(None);
        let nonce: Arc<str> = nonce.into();
        let number = nonces.insert(Arc::clone(&nonce), digest, ends_at, receiver);
        nonces.shrink(now);
        let store = Arc::clone(self);
        Claim::New(Ticket { store, app, nonce, number, sender, completed: false })
    }

    fn with_use(&self, ticket: &Ticket, act: impl FnOnce(&mut Nonces)) {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(nonces) = apps.get_mut(&ticket.app) else { return };
        let number = nonces.used.get(&ticket.nonce).map(|used| used.number);
        if number == Some(ticket.number) {
            act(nonces);
        }
    }
}

impl Nonces {
    fn insert(
        &mut self,
        nonce: Arc<str>,
        digest: Digest,
        ends_at: UnixMillis,
        receiver: watch::Receiver<Option<Arc<str>>>,
    ) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.order.push_back((Arc::clone(&nonce), number));
        let answer = AnswerState::Running(receiver);
        self.used.insert(nonce, Use { digest, ends_at, number, answer });
        number
    }

    /// Lets the oldest go, while there are too many or their time is over.
    fn shrink(&mut self, now: UnixMillis) {
        while let Some((nonce, number)) = self.order.front() {
            let used = self.used.get(nonce).filter(|used| used.number == *number);
            let over = used.is_none_or(|used| used.ends_at < now);
            if !over && self.order.len() <= NONCES_MAX {
                return;
            }
            if used.is_some() {
                let nonce = Arc::clone(nonce);
                self.used.remove(&nonce);
            }
            self.order.pop_front();
        }
    }

    fn store(&mut self, nonce: &Arc<str>, number: u64, reply: Arc<str>) {
        if reply.len() > LARGE_REPLY_BYTES {
            self.large_bytes += reply.len();
            self.large.push_back((Arc::clone(nonce), number, reply.len()));
        }
        if let Some(used) = self.used.get_mut(nonce) {
            used.answer = AnswerState::Stored(reply);
        }
        while self.large_bytes > LARGE_REPLY_BYTES_MAX
            && let Some((nonce, number, bytes)) = self.large.pop_front()
        {
            self.large_bytes -= bytes;
            if let Some(used) = self.used.get_mut(&nonce).filter(|used| used.number == number) {
                used.answer = AnswerState::Forgotten;
            }
        }
    }
}

impl Ticket {
    /// Keeps the reply and gives it to those who wait for it.
    pub(crate) fn complete(mut self, reply: Arc<str>) {
        self.completed = true;
        let store = Arc::clone(&self.store);
        store.with_use(&self, |nonces| {
            nonces.store(&self.nonce, self.number, Arc::clone(&reply));
        });
        self.sender.send_replace(Some(reply));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.completed {
            let store = Arc::clone(&self.store);
            store.with_use(self, |nonces| {
                nonces.used.remove(&self.nonce);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: AppId = AppId(1);
    const END: UnixMillis = UnixMillis(600_000);

    fn claim(store: &Arc<NonceStore>, now: u64, nonce: &str, digest: u8) -> Claim {
        store.claim(UnixMillis(now), APP, nonce, [digest; 32], END)
    }

    fn answer(store: &Arc<NonceStore>, nonce: &str, digest: u8, reply: &str) {
        match claim(store, 0, nonce, digest) {
            Claim::New(ticket) => ticket.complete(reply.into()),
            other => panic!("{other:?}"),
        }
    }

    fn stored(claim: Claim) -> String {
        match claim {
            Claim::Stored(reply) => reply.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_request_gets_the_same_reply_and_another_is_a_replay() {
        let store = Arc::default();
        answer(&store, "n", 1, "one");
        assert_eq!(stored(claim(&store, 1, "n", 1)), "one");
        assert!(matches!(claim(&store, 1, "n", 2), Claim::Replayed));
        assert!(matches!(claim(&store, 1, "other", 1), Claim::New(_)));
        let elsewhere = store.claim(UnixMillis(1), AppId(2), "n", [2; 32], END);
        assert!(matches!(elsewhere, Claim::New(_)), "apps have nonces of their own");
    }

    #[tokio::test]
    async fn a_retry_waits_for_the_first_and_gets_its_reply() {
        let store = Arc::default();
        let Claim::New(ticket) = claim(&store, 0, "n", 1) else { panic!("a new nonce") };
        let Claim::Running(mut waiting) = claim(&store, 0, "n", 1) else { panic!("running") };
        assert!(matches!(claim(&store, 0, "n", 2), Claim::Replayed));
        ticket.complete("one".into());
        let reply = waiting.wait_for(Option::is_some).await.unwrap().clone();
        assert_eq!(reply.as_deref(), Some("one"));
    }

    #[tokio::test]
    async fn an_answer_that_fails_frees_its_nonce_and_tells_who_waits() {
        let store = Arc::default();
        let Claim::New(ticket) = claim(&store, 0, "n", 1) else { panic!("a new nonce") };
        let Claim::Running(mut waiting) = claim(&store, 0, "n", 1) else { panic!("running") };
        drop(ticket);
        assert!(waiting.wait_for(Option::is_some).await.is_err());
        assert!(matches!(claim(&store, 0, "n", 2), Claim::New(_)));
    }

    #[test]
    fn a_nonce_is_free_again_when_its_timestamp_left_the_window() {
        let store = Arc::default();
        answer(&store, "n", 1, "one");
        assert_eq!(stored(claim(&store, END.0, "n", 1)), "one");
        assert!(matches!(claim(&store, END.0 + 1, "n", 2), Claim::New(_)));
    }

    #[test]
    fn the_oldest_nonces_leave_first_and_memory_is_bounded() {
        let store: Arc<NonceStore> = Arc::default();
        for n in 0..NONCES_MAX + 10 {
            answer(&store, &n.to_string(), 1, "reply");
        }
        assert!(matches!(claim(&store, 0, "0", 2), Claim::New(_)), "it left");
        assert_eq!(stored(claim(&store, 0, &NONCES_MAX.to_string(), 1)), "reply");
        let apps = store.apps.lock().unwrap();
        assert!(apps[&APP].used.len() <= NONCES_MAX && apps[&APP].order.len() <= NONCES_MAX);
    }

    #[test]
    fn of_large_replies_the_oldest_are_forgotten_and_their_nonces_are_not() {
        let store: Arc<NonceStore> = Arc::default();
        let large = "x".repeat(1024 * 1024);
        answer(&store, "small", 1, "small");
        for n in 0..20 {
            answer(&store, &n.to_string(), 1, &large);
        }
        assert_eq!(stored(claim(&store, 0, "small", 1)), "small");
        assert_eq!(stored(claim(&store, 0, "19", 1)).len(), large.len());
        assert!(matches!(claim(&store, 0, "0", 2), Claim::Replayed), "its nonce is known");
        assert!(matches!(claim(&store, 0, "0", 1), Claim::New(_)), "a list is read anew");
        assert!(store.apps.lock().unwrap()[&APP].large_bytes <= LARGE_REPLY_BYTES_MAX);
    }
}
