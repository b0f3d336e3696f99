//! The Server API as a backend sees it: signed requests through the real router to a real node.

mod backend;
mod contract;
mod delete_stream;
mod gateway;
mod messages;
mod rooms;
mod rules;
