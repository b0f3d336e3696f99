//! The service from outside: pure parts in virtual time, and the whole against real receivers.

mod contract;
mod dispatcher;
mod receiver;
mod recorder;
mod recovery;
mod scene;
mod service;
