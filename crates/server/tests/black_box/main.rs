//! The built server as its clients and its operator meet it, with real clients.

mod callbacks;
mod command_line;
mod garbage;
mod life;
mod process;
mod start;
