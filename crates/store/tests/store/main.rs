//! The store from outside: what is committed is there, in whatever way its process ended.

mod faults;
mod ledger;
mod outbox;
mod rules;
mod scene;
