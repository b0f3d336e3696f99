//! What somebody who plays a stream wants of it.

use odeum_types::{PeerId, SessionId};

use crate::layer_choice::VideoWish;

/// How much a stream's video matters among those that one session plays, when not all that is
/// wanted of them reaches it. The words of RFC 8835 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Whatever the others leave.
    VeryLow,
    /// Less than the others.
    Low,
    /// As much as the others.
    #[default]
    Medium,
    /// More than the others.
    High,
}

/// What is wanted of a stream that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayWish {
    /// Of its video.
    pub video: VideoWish,
    /// How much its video matters.
    pub priority: Priority,
}

/// A stream to be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayTerms {
    /// Whose.
    pub publisher: PeerId,
    /// The session that plays it: its streams come over one line, and what reaches it is estimated
    /// for all of them and dealt out among them. None: it is alone.
    pub session: Option<SessionId>,
    /// What is wanted of it.
    pub wish: PlayWish,
}

impl PlayTerms {
    /// The stream of `publisher`, alone, as good as it comes.
    pub fn alone(publisher: PeerId) -> Self {
        Self { publisher, session: None, wish: PlayWish::default() }
    }
}
