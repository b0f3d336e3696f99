//! Wire shapes and nothing else: what crosses a network border of Odeum, spelled as it is spelled
//! there.
//!
//! - [`api`]: the replies of the Server API; [`return_code`]: the table of their codes.
//! - [`signal`]: the messages of the WebSocket protocol at `/signal`.
//!
//! No logic lives here: a surface (`api`, `signal`, `client`) turns these shapes into domain types
//! at its edge. The invariant: what is serialized here is a public promise; a field changes only
//! with the protocol's version.

pub mod api;
pub mod callback;
pub mod return_code;
pub mod signal;
