//! Everything that can happen to the world, made from four numbers, so that a seed and proptest
//! both can.

use odeum_room::CutMedia;

use crate::world::{ROOMS, Rule, STREAMS, USERS};

/// Two devices for each user, so that users race with themselves.
pub(crate) const DEVICES: usize = 2 * USERS;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    /// The first step of a login.
    Reserve {
        device: usize,
        room: usize,
    },
    /// The second one, which is sometimes forgotten.
    Evict {
        device: usize,
    },
    /// The last one.
    Commit {
        device: usize,
        token_seconds: Option<u64>,
    },
    /// The login is given up.
    Abandon {
        device: usize,
    },
    /// All steps at once.
    Login {
        device: usize,
        room: usize,
    },
    Logout {
        device: usize,
    },
    /// The socket breaks; the server does not know yet.
    Drop {
        device: usize,
    },
    /// The server hears that an old socket is gone, maybe long after.
    NoticeDrop {
        index: usize,
    },
    /// The client comes back, claiming `behind` notices fewer than it has.
    Resume {
        device: usize,
        behind: u64,
        reply: Fate,
    },
    /// Somebody else tries, or the client claims what it cannot have.
    Forge {
        device: usize,
    },
    Deliver {
        device: usize,
        count: usize,
    },
    Heartbeat {
        device: usize,
        behind: u64,
    },
    Publish {
        device: usize,
        stream: usize,
    },
    StopPublishing {
        device: usize,
        stream: usize,
    },
    Play {
        device: usize,
        stream: usize,
    },
    StopPlaying {
        device: usize,
        stream: usize,
    },
    /// Of a transport that lives or of one that ended.
    MediaConnected {
        index: usize,
    },
    MediaClosed {
        index: usize,
    },
    /// A client says something.
    Send {
        device: usize,
        kind: Kind,
    },
    /// The backend says something in a user's name.
    BackendSends {
        room: usize,
        user: usize,
        kind: Kind,
    },
    SetRoomExtraInfo {
        device: usize,
        key: usize,
        value: usize,
    },
    SetStreamExtraInfo {
        device: usize,
        stream: usize,
        value: usize,
    },
    AddStream {
        room: usize,
        stream: usize,
        user: usize,
    },
    DeleteStream {
        room: usize,
        stream: usize,
    },
    /// The app's rules change.
    ChangeRule {
        room: usize,
        stream: usize,
        user: usize,
        seconds: u64,
        rule: Rule,
    },
    Kick {
        room: usize,
        user: usize,
    },
    Close {
        room: usize,
        callback: bool,
    },
    Shutdown {
        room: usize,
    },
    /// The server is gone without a word and comes back.
    Crash,
    Advance {
        seconds: u64,
    },
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Broadcast,
    Barrage,
    Command {
        /// A bit for each user and one for somebody who never is anywhere; zero is everyone.
        targets: u8,
    },
}

/// Whether a reply arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
}

impl Operation {
    /// What these numbers mean; `kind` carries the weights.
    pub(crate) fn from_numbers([kind, a, b, c]: [u8; 4]) -> Self {
        let (a, b, c) = (usize::from(a), usize::from(b), usize::from(c));
        let (device, room, stream) = (a % DEVICES, a % ROOMS, b % STREAMS);
        match kind % 126 {
            0..4 => Self::Reserve { device, room: b % ROOMS },
            4..7 => Self::Evict { device },
            7..11 => {
                let token_seconds = (b % 4 == 0).then_some(35 + c as u64);
                Self::Commit { device, token_seconds }
            }
            11 => Self::Abandon { device },
            12..18 => Self::Login { device, room: b % ROOMS },
            18..20 => Self::Logout { device },
            20..24 => Self::Drop { device },
            24..27 => Self::NoticeDrop { index: a },
            27..33 => {
                let reply = if c % 4 == 0 { Fate::Lost } else { Fate::Arrives };
                Self::Resume { device, behind: (b % 3) as u64, reply }
            }
            33 => Self::Forge { device },
            34..46 => Self::Deliver { device, count: b % 4 + 1 },
            46..56 => Self::Heartbeat { device, behind: (b % 3) as u64 },
            56..64 => Self::Publish { device, stream },
            64..66 => Self::StopPublishing { device, stream },
            66..72 => Self::Play { device, stream },
            72..74 => Self::StopPlaying { device, stream },
            74..82 => Self::MediaConnected { index: a },
            82..84 => Self::MediaClosed { index: a },
            84..87 => Self::AddStream { room, stream, user: c % USERS },
            87..91 => Self::DeleteStream { room, stream },
            91 => Self::Kick { room, user: c % USERS },
            92 if b % 8 == 0 => Self::Close { room, callback: c % 2 == 0 },
            92 if b % 8 == 1 => Self::Shutdown { room },
            92 if b % 8 == 2 => Self::Crash,
            93 if b % 2 == 0 => Self::Advance { seconds: 60 },
            100..108 => Self::Send { device, kind: Kind::from_numbers(b, c) },
            108..114 => {
                Self::BackendSends { room, user: b % USERS, kind: Kind::from_numbers(b / USERS, c) }
            }
            114..117 => Self::SetRoomExtraInfo { device, key: b % 8 / 7, value: c % 16 },
            117..120 => Self::SetStreamExtraInfo { device, stream, value: c % 16 },
            120..126 => {
                let (user, seconds) = (c % USERS, 1 + (c % 32) as u64);
                Self::ChangeRule { room, stream, user, seconds, rule: rule_from(b / STREAMS) }
            }
            _ => Self::Advance { seconds: 1 + (b % 12) as u64 },
        }
    }
}

fn rule_from(number: usize) -> Rule {
    match number % 10 {
        0 => Rule::Cut(CutMedia::Audio),
        1 => Rule::Cut(CutMedia::Video),
        2 => Rule::Cut(CutMedia::Both),
        3 => Rule::GiveBack,
        4 => Rule::Forbid,
        5..8 => Rule::Resume,
        8 => Rule::Ban,
        _ => Rule::Pardon,
    }
}

impl Kind {
    fn from_numbers(kind: usize, targets: usize) -> Self {
        match kind % 4 {
            0 => Self::Broadcast,
            1 => Self::Barrage,
            2 => Self::Command { targets: 0 },
            _ => Self::Command { targets: (targets % (2 << USERS)) as u8 },
        }
    }
}
