//! A session's numbered notices, kept for resumption: all of the newest ones, and beyond their
//! bound still the messages, which no snapshot can stand in for.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::RoomConfig;
use crate::notice::{Notice, NumberedNotice};

/// Numbered notices, kept until acknowledged or until a bound drops the oldest.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The number of the newest notice; 0 before the first.
    last: u64,
    /// The newest notices in order, the back one having number `last`.
    kept: VecDeque<Arc<Notice>>,
    /// Sum of their estimates.
    bytes: usize,
    /// Messages that were dropped from `kept`, in order.
    messages: VecDeque<NumberedNotice>,
    /// Sum of their estimates.
    message_bytes: usize,
    /// Messages dropped from `messages` since the client last acknowledged them all.
    lost: u64,
    /// The number of the last one lost.
    last_lost: u64,
}

/// The messages that a client has missed.
#[derive(Debug)]
pub(crate) struct MissedMessages {
    /// Those that are kept, in order.
    pub(crate) kept: Vec<NumberedNotice>,
    /// How many older ones are lost: none, or at least one and at most this many.
    pub(crate) lost: u64,
}

impl Outbox {
    /// The number of the newest notice; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Numbers `notice` and keeps it, dropping the oldest ones beyond the bounds.
    pub(crate) fn push(&mut self, notice: Arc<Notice>, bytes: usize, config: &RoomConfig) -> u64 {
        self.last += 1;
        self.kept.push_back(notice);
        self.bytes += bytes;
        while self.kept.len() > 1
            && (self.kept.len() > config.replay_messages_max
                || self.bytes > config.replay_bytes_max)
        {
            let sequence = self.first_kept();
            let Some(notice) = self.drop_oldest() else { break };
            if notice.is_message() {
                self.keep_message(NumberedNotice { sequence, notice }, config);
            }
        }
        self.last
    }

    /// Forgets what the client has.
    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        while !self.kept.is_empty() && self.first_kept() <= sequence {
            self.drop_oldest();
        }
        while self.messages.front().is_some_and(|message| message.sequence <= sequence) {
            self.drop_oldest_message();
        }
        if self.messages.is_empty() {
            // The room for a long absence is not kept for an idle client.
            self.messages = VecDeque::new();
        }
        if sequence >= self.last_lost {
            self.lost = 0;
        }
    }

    /// The notices after `sequence`; `None` when the bound has dropped some of them.
    pub(crate) fn after(&self, sequence: u64) -> Option<Vec<NumberedNotice>> {
        if sequence + 1 < self.first_kept() {
            return None;
        }
        Some(self.kept_after(sequence).collect())
    }

    /// The messages after `sequence`, for a client that gets a snapshot in place of the rest.
    pub(crate) fn messages_after(&self, sequence: u64) -> MissedMessages {
        let older = self.messages.iter().filter(|message| message.sequence > sequence).cloned();
        let newer = self.kept_after(sequence).filter(|numbered| numbered.notice.is_message());
        MissedMessages {
            kept: older.chain(newer).collect(),
            lost: self.lost.min(self.last_lost.saturating_sub(sequence)),
        }
    }

    fn kept_after(&self, sequence: u64) -> impl Iterator<Item = NumberedNotice> + '_ {
        let numbered = self.kept.iter().zip(self.first_kept()..);
        numbered
            .filter(move |(_, number)| *number > sequence)
            .map(|(notice, sequence)| NumberedNotice { sequence, notice: Arc::clone(notice) })
    }

    /// The number of the oldest notice kept, or of the next one when none is.
    fn first_kept(&self) -> u64 {
        self.last + 1 - self.kept.len() as u64
    }

    fn drop_oldest(&mut self) -> Option<Arc<Notice>> {
        let notice = self.kept.pop_front()?;
        self.bytes -= notice.bytes_estimate();
        Some(notice)
    }

    fn keep_message(&mut self, message: NumberedNotice, config: &RoomConfig) {
        self.message_bytes += message.notice.bytes_estimate();
        self.messages.push_back(message);
        while self.messages.len() > config.missed_messages_max
            || self.message_bytes > config.missed_message_bytes_max
        {
            let Some(lost) = self.drop_oldest_message() else { break };
            self.lost += 1;
            self.last_lost = lost.sequence;
        }
    }

    fn drop_oldest_message(&mut self) -> Option<NumberedNotice> {
        let message = self.messages.pop_front()?;
        self.message_bytes -= message.notice.bytes_estimate();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use odeum_types::{UnixMillis, UserId, UserName};

    use super::*;
    use crate::messages::{MessageId, MessageText};
    use crate::snapshot::UserEntry;

    fn config() -> RoomConfig {
        RoomConfig { replay_messages_max: 2, missed_messages_max: 2, ..RoomConfig::default() }
    }

    fn message(number: u64) -> Notice {
        let (user, name) = (UserId::parse("ann").unwrap(), UserName::parse("").unwrap());
        Notice::BroadcastMessage {
            id: MessageId(number),
            from: UserEntry { user, name },
            text: MessageText::parse("hello").unwrap(),
            sent_at: UnixMillis(0),
        }
    }

    /// An outbox after these notices: `m` a message, `c` another one.
    fn outbox(notices: &str) -> Outbox {
        let mut outbox = Outbox::default();
        for (kind, number) in notices.chars().zip(1..) {
            let notice = match kind {
                'm' => message(number),
                'c' => Notice::UserCount { count: 1 },
                other => panic!("no such notice: {other}"),
            };
            let bytes = notice.bytes_estimate();
            outbox.push(Arc::new(notice), bytes, &config());
        }
        outbox
    }

    /// What a client is told that has all notices up to `sequence`.
    #[track_caller]
    fn check(outbox: &Outbox, sequence: u64, kept: &[u64], lost: u64) {
        let missed = outbox.messages_after(sequence);
        let sequences: Vec<u64> = missed.kept.iter().map(|message| message.sequence).collect();
        assert_eq!((sequences.as_slice(), missed.lost), (kept, lost));
    }

    #[test]
    fn messages_outlive_the_other_notices() {
        let outbox = outbox("mcmccm");
        assert!(outbox.after(0).is_none());
        check(&outbox, 0, &[1, 3, 6], 0);
        check(&outbox, 1, &[3, 6], 0);
    }

    #[test]
    fn a_client_that_lacks_a_lost_message_is_told() {
        let outbox = outbox("mmmmmm");
        check(&outbox, 0, &[3, 4, 5, 6], 2);
        check(&outbox, 1, &[3, 4, 5, 6], 1);
        check(&outbox, 2, &[3, 4, 5, 6], 0);
    }

    #[test]
    fn what_is_acknowledged_is_neither_kept_nor_lost() {
        let mut outbox = outbox("mmmmmm");
        outbox.acknowledge(3);
        check(&outbox, 3, &[4, 5, 6], 0);
        assert_eq!(outbox.lost, 0);
        outbox.acknowledge(6);
        check(&outbox, 6, &[], 0);
        assert_eq!((outbox.bytes, outbox.message_bytes), (0, 0));
    }

    #[test]
    fn bytes_bound_the_messages_as_well() {
        let bytes = message(1).bytes_estimate();
        let config = RoomConfig { missed_message_bytes_max: bytes, ..config() };
        let mut outbox = Outbox::default();
        for number in 1..=4 {
            outbox.push(Arc::new(message(number)), bytes, &config);
        }
        check(&outbox, 0, &[2, 3, 4], 1);
    }
}
