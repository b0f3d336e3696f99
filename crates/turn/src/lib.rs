//! A TURN server (RFC 8656) that leads to this server's own media ports and nowhere else.
//!
//! - [`Gate`]: who may have an allocation: stateless nonces (RFC 8489 §9.2), names and passwords
//!   made from a secret, which say themselves until when they are good, and may be of a session
//!   that ends earlier.
//! - [`Client`]: one client, by its transport: permissions, channels, what goes to the relay's
//!   socket and what comes from it. A client without an allocation holds nothing, so strangers cost
//!   nothing.
//! - [`Peers`]: the addresses that may be relayed to, and where they really are: a media port that
//!   is announced by an outer address is reached here, whatever the NAT in front would make of it.
//! - [`holder`]: the user whose name it is, for who counts what users have.
//! - [`Refusal`]: why a request is refused, for replies and for who counts.
//! - [`frame_length`]: where a message ends in a stream of bytes.
//!
//! The invariant: nothing goes to an address that is not among the [`Peers`], whatever a client
//! asks for; so this relay cannot be used against the operator's network, nor anybody else's.

mod allocation;
mod client;
mod failure;
mod gate;
mod message;
mod peers;
mod stream;
#[cfg(test)]
mod tests;

pub use client::{Action, Client, FromPeer, Limits};
pub use failure::Refusal;
pub use gate::{Gate, holder};
pub use peers::{Family, Peers};
pub use stream::{FrameError, frame_length};
