//! Durable state: rules, the outbox of callbacks with its history, the ledger of open sessions.
