//! The kernel's side of the load: epoll over hundreds of sockets, recvmmsg, UDP_SEGMENT. The only
//! file of this crate with unsafe code.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Events taken by one wait.
const EVENTS_MAX: usize = 64;
/// Datagrams taken by one read.
const BATCH_MAX: usize = 32;
/// Bytes of the largest datagram taken; a longer one is cut, which nothing here sends.
const DATAGRAM_BYTES: usize = 2_048;

/// Waits for many descriptors.
pub struct Epoll {
    /// The kernel's object.
    fd: OwnedFd,
    /// What the last wait found.
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is new and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX] })
    }

    /// Waits for `socket` too, until it is closed; a wait names it `token`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add(&self, socket: &impl AsRawFd, token: usize) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token as u64 };
        let (own, fd) = (self.fd.as_raw_fd(), socket.as_raw_fd());
        // SAFETY: both descriptors are open, and `event` lives through the call.
        match unsafe { libc::epoll_ctl(own, libc::EPOLL_CTL_ADD, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The tokens of sockets that can be read, after at most `timeout_ms`; 0 only looks.
    ///
    /// # Errors
    /// What the kernel says; EINTR is no error.
    pub fn wait(&mut self, timeout_ms: i32) -> io::Result<impl Iterator<Item = usize>> {
        let (own, events) = (self.fd.as_raw_fd(), self.events.as_mut_ptr());
        // SAFETY: `events` points at EVENTS_MAX live events.
        let count = unsafe { libc::epoll_wait(own, events, EVENTS_MAX as i32, timeout_ms) };
        let count = match usize::try_from(count) {
            Ok(count) => count,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => 0,
                error => return Err(error),
            },
        };
        Ok(self.events[..count].iter().map(|event| event.u64 as usize))
    }
}

/// Buffers for one recvmmsg over IPv4.
pub(crate) struct ReceiveBatch {
    /// All buffers, one after the other.
    storage: Vec<u8>,
    /// Who sent each datagram.
    sources: Vec<libc::sockaddr_in>,
    /// Bytes of each datagram of the last read.
    sizes: Vec<usize>,
}

impl ReceiveBatch {
    /// Empty buffers.
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid sockaddr_in.
        let nobody: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        Self {
            storage: vec![0; BATCH_MAX * DATAGRAM_BYTES],
            sources: vec![nobody; BATCH_MAX],
            sizes: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Reads what waits at a socket that does not block; how many datagrams that was.
    ///
    /// # Errors
    /// What the kernel says, but for an empty socket and the ICMP errors of earlier sends.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        self.sizes.clear();
        // SAFETY: all-zero is a valid mmsghdr and a valid iovec.
        let mut messages: [libc::mmsghdr; BATCH_MAX] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut parts: [libc::iovec; BATCH_MAX] = unsafe { std::mem::zeroed() };
        let buffers = self.storage.chunks_exact_mut(DATAGRAM_BYTES).zip(&mut self.sources);
        for ((buffer, source), (message, part)) in buffers.zip(messages.iter_mut().zip(&mut parts))
        {
            *part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            message.msg_hdr.msg_name = std::ptr::from_mut(source).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: every header points at buffers of `self` and of this frame that live through the
        // call, with their real sizes; MSG_DONTWAIT returns at once.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH_MAX as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED) => Ok(0),
                _ => Err(error),
            };
        };
        self.sizes.extend(messages[..count].iter().map(|message| message.msg_len as usize));
        Ok(count)
    }

    /// The datagrams of the last read.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let buffers = self.storage.chunks_exact_mut(DATAGRAM_BYTES);
        self.sizes.iter().zip(&self.sources).zip(buffers).map(|((size, source), buffer)| {
            let ip = Ipv4Addr::from(u32::from_be(source.sin_addr.s_addr));
            ((ip, u16::from_be(source.sin_port)).into(), &mut buffer[..*size])
        })
    }
}

/// From now on each send on `socket` leaves as datagrams of `segment_bytes` (UDP_SEGMENT); 0 for
/// one datagram each.
///
/// # Errors
/// A kernel before 4.18.
pub(crate) fn segment_sends(socket: &impl AsRawFd, segment_bytes: u16) -> io::Result<()> {
    set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, segment_bytes.into())
}

/// Asks for room for `bytes` at `socket`, so that a load generator that had to wait loses nothing;
/// past the system's limit where the caller may.
///
/// # Errors
/// None of the kernels' today: one that grants less does not say so.
pub(crate) fn ask_for_buffer(socket: &impl AsRawFd, bytes: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes))
}

fn set_option(socket: &impl AsRawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let pointer: *const libc::c_int = &value;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let fd = socket.as_raw_fd();
    // SAFETY: the socket is open and `pointer` points at a live int of the size given.
    match unsafe { libc::setsockopt(fd, level, name, pointer.cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
