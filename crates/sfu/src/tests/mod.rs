//! The media plane against clients that speak real ICE, DTLS and SRTP, in virtual time and without
//! a socket.

mod client;
mod forwarding;
mod life;
mod net;
mod security;
