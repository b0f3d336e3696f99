//! The built server as its clients and its operator meet it, with real clients.

mod garbage;
mod life;
mod process;
