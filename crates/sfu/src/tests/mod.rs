//! The media plane against clients that speak real ICE, DTLS and SRTP, in virtual time and without
//! a socket.

mod addresses;
mod attacks;
mod bandwidth;
mod client;
mod cut;
mod described;
mod forwarding;
mod heights;
mod ice_restart;
mod key_frames;
mod life;
mod lines;
mod linger;
mod net;
mod nonces;
mod outer_address;
mod parameter_sets;
mod parameters;
mod redundancy;
mod relay;
mod retransmission;
mod security;
mod simulcast;
mod spatial;
mod temporal;
mod thinning;
