//! Which callbacks are meant: by an operator who looks for them, repeats them or gives them up.

use odeum_types::{AppId, RoomId, UnixMillis};
use rusqlite::ToSql;

use crate::outbox::{CallbackNumber, CallbackState};

/// Which callbacks; all that is given must hold, and nothing given means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// This one.
    pub number: Option<CallbackNumber>,
    /// Of this app.
    pub app: Option<AppId>,
    /// Of the rooms of this name.
    pub room: Option<RoomId>,
    /// Of this event.
    pub event: Option<String>,
    /// In this state.
    pub state: Option<CallbackState>,
    /// Of what happened at this time or later.
    pub from: Option<UnixMillis>,
    /// Of what happened before this time.
    pub until: Option<UnixMillis>,
}

/// The conditions of a statement and their values, in order.
#[derive(Default)]
pub(crate) struct Conditions {
    /// Joined by AND.
    texts: Vec<&'static str>,
    /// One for each `?`.
    values: Vec<Box<dyn ToSql>>,
}

impl Selection {
    pub(crate) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(number) = self.number {
            conditions.add("number = ?", number.to_sql());
        }
        if let Some(app) = self.app {
            conditions.add("app = ?", app.0);
        }
        if let Some(room) = &self.room {
            conditions.add("room = ?", room.as_str().to_owned());
        }
        if let Some(event) = &self.event {
            conditions.add("event = ?", event.clone());
        }
        if let Some(state) = self.state {
            conditions.add("state = ?", state.to_sql());
            // Said again in the words of the partial index, which the planner cannot tell from a
            // value.
            match state {
                CallbackState::Pending | CallbackState::Late => conditions.texts.push("state < 2"),
                CallbackState::Failed | CallbackState::Dropped => {
                    conditions.texts.push("state > 2");
                }
                CallbackState::Delivered => {}
            }
        }
        if let Some(from) = self.from {
            conditions.add("at_ms >= ?", from.0.min(i64::MAX as u64) as i64);
        }
        if let Some(until) = self.until {
            conditions.add("at_ms < ?", until.0.min(i64::MAX as u64) as i64);
        }
        conditions
    }
}

impl Conditions {
    /// One more condition, with one `?` for its value.
    pub(crate) fn add(&mut self, text: &'static str, value: impl ToSql + 'static) {
        self.texts.push(text);
        self.values.push(Box::new(value));
    }

    /// One more condition without a value.
    pub(crate) fn require(&mut self, text: &'static str) {
        self.texts.push(text);
    }

    /// The text behind WHERE.
    pub(crate) fn text(&self) -> String {
        if self.texts.is_empty() { "TRUE".to_owned() } else { self.texts.join(" AND ") }
    }

    /// The values, in the order of the text.
    pub(crate) fn values(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(AsRef::as_ref).collect()
    }
}
