//! The built server as its clients and its operator meet it, with real clients.

mod callbacks;
mod garbage;
mod life;
mod process;
mod start;
