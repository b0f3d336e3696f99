//! The built server as its clients and its operator meet it, with real clients.

mod bench;
mod callbacks;
mod command_line;
mod garbage;
mod life;
mod process;
mod start;
mod turn;
