//! What went wrong on purpose, and what came of it, counted.

faults! {
    /// Lives of rooms that a backend heard of.
    rooms,
    /// Callbacks that were delivered.
    delivered,
    crashes,
    /// The wall clock behind or ahead of where it was, after a crash.
    clock_set_back,
    clock_set_ahead,
    /// A commit whose process is gone before anybody hears of it.
    crashes_after_commit,
    store_errors,
    /// Events held in memory that a crash took, as ruling 27 allows.
    spilled_events_lost,
    /// Events that a crash took before anybody was told that they are safe.
    unacknowledged_events_lost,
    /// Calls refused because the spill is full.
    calls_refused,
    rules_in_force,
    /// Rules refused because the store failed.
    rules_refused,
    /// Rules under way when the process crashed.
    rules_in_doubt,
    attempts_failed,
    /// The receiver took it, and its answer was lost.
    answers_lost,
    /// Of attempts that a crash cut off, those that had arrived.
    arrived_before_crash,
    receivers_down,
    /// Deliveries of what had been delivered.
    repeated,
    stepped_aside,
    replayed,
}
