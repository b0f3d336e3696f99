//! The node as its surfaces see it: real tasks, threads and sockets on free ports.

mod failures;
mod limits;
mod media;
mod rules;
mod sessions;
mod support;
