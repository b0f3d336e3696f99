//! Bad networks, shown: the media plane and clients of this crate in virtual time, with a seeded
//! network between them, and what viewers see and hear of a publisher.
//!
//! - `link`: one direction of a network: losses, jitter, duplicates, a narrow part with a queue.
//! - `world`: server, publisher, viewers, the time.
//! - `playout`: which frames can be decoded, and which sound comes in time.
//! - `lines`: several streams of one viewer, and several viewers, behind one narrow part.
//! - `sound`: sound with redundancy and with retransmissions.
//! - `scenarios`: the networks and their bounds; `report` is a line of results.

mod lines;
mod link;
mod playout;
mod report;
mod scenarios;
mod sound;
mod world;
