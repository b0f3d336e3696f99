//! Signalling and media against a real node, through the public protocol only.

mod guide;
mod messages;
mod misbehaviour;
mod publish_and_play;
mod resume;
mod server;
mod sessions;
