//! The kernel's side of the media plane: one UDP socket read in batches with GRO, written with GSO,
//! and an eventfd that wakes its thread. This file and its children have all unsafe code of this
//! crate; each call is as thin as the kernel's own.
//!
//! - [`UdpSocket`]: the socket and what its kernel can do.
//! - `receive.rs`, `send.rs`: the two ways of a datagram.
//! - `wait.rs`: what a worker sleeps on.
//!
//! GSO (`UDP_SEGMENT`) hands the kernel up to 64 packets of one size in one call, GRO (`UDP_GRO`)
//! brings packets of one source in one buffer. Both are tried at start; a socket without them has
//! a buffer for each packet. A network card that cannot segment (EIO) turns GSO off for good;
//! packets too large for the path (EMSGSIZE) are sent one by one that time.
//!
//! A socket that is bound to all addresses is told which of them each packet came to (`IP_PKTINFO`,
//! `IPV6_RECVPKTINFO`), and sends from the one that it is given; left alone, the kernel chooses by
//! its routes. A socket that has one address is spared that.
#![allow(unsafe_code)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

mod receive;
mod send;
mod wait;

pub(crate) use receive::{ReceiveBatch, canonical, receive_one};
pub(crate) use send::{SendTally, send_one};
pub(crate) use wait::{Waker, wait};

/// Bytes for the control messages of one buffer: 24 for a size of segments, 40 for an address.
const CONTROL_BYTES: usize = 64;

/// Whether the kernel cuts one large send into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segmentation {
    /// `UDP_SEGMENT` works.
    Kernel,
    /// It is handed packet by packet.
    PerPacket,
}

/// A bound, non-blocking UDP socket.
pub(crate) struct UdpSocket {
    /// The socket itself.
    socket: Socket,
    /// Where it is bound, with the real port.
    local: SocketAddr,
    /// Whether sends may be segmented by the kernel.
    segmentation: Segmentation,
    /// Whether the kernel may hand over several packets in one buffer.
    gro: bool,
    /// Receive and send buffer sizes that the kernel granted, in bytes.
    buffers: (usize, usize),
}

impl UdpSocket {
    /// Binds `address`, asks for buffers of `buffer_bytes` each way and tries GSO and GRO.
    ///
    /// # Errors
    /// What the kernel says: the port is taken, the address is not of this machine.
    pub(crate) fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        // A kernel that grants less than was asked for does not say so; what it granted is read
        // back.
        socket.set_recv_buffer_size(buffer_bytes)?;
        socket.set_send_buffer_size(buffer_bytes)?;
        let buffers = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        ask_for_local(&socket, local)?;
        let gro = set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
        // Zero sets no segment size for plain sends; a kernel before 4.18 does not know the option.
        let gso = set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        let segmentation = if gso { Segmentation::Kernel } else { Segmentation::PerPacket };
        Ok(Self { socket, local, segmentation, gro, buffers })
    }

    /// Where it is bound, with the real port.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether sends are segmented by the kernel.
    pub(crate) fn segmentation(&self) -> Segmentation {
        self.segmentation
    }

    /// Whether one read may bring several packets.
    pub(crate) fn gro(&self) -> bool {
        self.gro
    }

    /// Receive and send buffer sizes that the kernel granted, in bytes (it doubles what was asked
    /// for).
    pub(crate) fn buffers(&self) -> (usize, usize) {
        self.buffers
    }

    /// Turns kernel segmentation off, as a kernel without it would.
    #[cfg(test)]
    fn forget_segmentation(&mut self) {
        self.segmentation = Segmentation::PerPacket;
    }
}

/// A control buffer with the alignment that `cmsghdr` needs.
#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// Has the kernel say of each packet which address of this machine it came to, where `socket` is
/// bound to all of them.
///
/// # Errors
/// What the kernel says; it has had both options since IPv6.
pub(crate) fn ask_for_local(socket: &impl AsRawFd, bound: SocketAddr) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    match bound.ip() {
        ip if !ip.is_unspecified() => Ok(()),
        IpAddr::V4(_) => set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        IpAddr::V6(_) => set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

fn set_option(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let pointer: *const libc::c_int = &value;
    // SAFETY: `fd` is an open socket of the caller, `pointer` points at a live int of the size
    // given.
    let result = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            pointer.cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests;
