//! The kernel's side of the load: epoll over hundreds of sockets, recvmmsg, UDP_SEGMENT. The only
//! file of this crate with unsafe code.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

/// Events taken by one wait.
const EVENTS_MAX: usize = 64;
/// Datagrams taken by one read.
const BATCH_MAX: usize = 32;
/// Bytes of the largest datagram taken; a longer one is cut, which nothing here sends.
const DATAGRAM_BYTES: usize = 2_048;

/// Bytes for the control message of a datagram: one timespec needs 32.
const CONTROL_BYTES: usize = 64;

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

/// A control buffer with the alignment that `cmsghdr` needs.
#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// A datagram of the last read.
pub(crate) struct Datagram<'b> {
    /// Who sent it.
    pub(crate) source: SocketAddr,
    /// How long it lay at the socket before it was read; zero where [`stamp_arrivals`] was not
    /// asked for.
    pub(crate) waited: Duration,
    /// What it holds.
    pub(crate) bytes: &'b mut [u8],
}

/// What is known of a datagram beside its bytes.
#[derive(Clone, Copy)]
struct Filled {
    /// Bytes of it.
    size: usize,
    /// How long it waited.
    waited: Duration,
}

/// Buffers for one recvmmsg over IPv4.
pub(crate) struct ReceiveBatch {
    /// All buffers, one after the other.
    storage: Vec<u8>,
    /// Who sent each datagram.
    sources: Vec<libc::sockaddr_in>,
    /// The control messages of each datagram.
    controls: Vec<Control>,
    /// The datagrams of the last read.
    filled: Vec<Filled>,
}

impl ReceiveBatch {
    /// Empty buffers.
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid sockaddr_in.
        let nobody: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        Self {
            storage: vec![0; BATCH_MAX * DATAGRAM_BYTES],
            sources: vec![nobody; BATCH_MAX],
            controls: vec![Control([0; CONTROL_BYTES]); BATCH_MAX],
            filled: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Reads what waits at a socket that does not block; how many datagrams that was.
    ///
    /// # Errors
    /// What the kernel says, but for an empty socket and the ICMP errors of earlier sends.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        self.filled.clear();
        // SAFETY: all-zero is a valid mmsghdr and a valid iovec.
        let mut messages: [libc::mmsghdr; BATCH_MAX] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut parts: [libc::iovec; BATCH_MAX] = unsafe { std::mem::zeroed() };
        let buffers = self.storage.chunks_exact_mut(DATAGRAM_BYTES).zip(&mut self.sources);
        let memory = buffers.zip(&mut self.controls);
        for (((buffer, source), control), (message, part)) in
            memory.zip(messages.iter_mut().zip(&mut parts))
        {
            *part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            message.msg_hdr.msg_name = std::ptr::from_mut(source).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = CONTROL_BYTES as _;
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
        let now = SystemTime::now();
        self.filled.extend(messages[..count].iter().map(|message| {
            Filled {
                size: message.msg_len as usize,
                waited: arrival(&message.msg_hdr)
                    .and_then(|arrival| now.duration_since(arrival).ok())
                    .unwrap_or_default(),
            }
        }));
        Ok(count)
    }

    /// The datagrams of the last read.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.storage.chunks_exact_mut(DATAGRAM_BYTES);
        self.filled.iter().zip(&self.sources).zip(buffers).map(|((filled, source), buffer)| {
            let ip = Ipv4Addr::from(u32::from_be(source.sin_addr.s_addr));
            Datagram {
                source: (ip, u16::from_be(source.sin_port)).into(),
                waited: filled.waited,
                bytes: &mut buffer[..filled.size],
            }
        })
    }
}

/// When the kernel put a datagram into the socket's queue, if it says so.
fn arrival(header: &libc::msghdr) -> Option<SystemTime> {
    // SAFETY: the kernel set msg_control and msg_controllen to well-formed control messages inside
    // the live control buffer; CMSG_NXTHDR ends at its length; an SCM_TIMESTAMPNS message carries
    // one timespec.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = next.as_ref() {
            if (control.cmsg_level, control.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)
            {
                let time = libc::CMSG_DATA(next).cast::<libc::timespec>().read_unaligned();
                let seconds = u64::try_from(time.tv_sec).ok()?;
                let nanos = u32::try_from(time.tv_nsec).ok()?;
                return SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
    None
}

/// From now on the kernel notes when each datagram comes to `socket`.
///
/// # Errors
/// What the kernel says.
pub(crate) fn stamp_arrivals(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Instant;

    use super::*;

    /// How long a datagram that lay at `to` for `time` is said to have waited.
    fn waited(to: &UdpSocket, time: Duration) -> Duration {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        from.send_to(b"one", to.local_addr().unwrap()).unwrap();
        let sent = Instant::now();
        while sent.elapsed() < time {
            std::hint::spin_loop();
        }
        let mut batch = ReceiveBatch::new();
        assert_eq!(batch.receive(to).unwrap(), 1);
        let datagram = batch.datagrams().next().unwrap();
        assert_eq!((datagram.source, &*datagram.bytes), (from.local_addr().unwrap(), &b"one"[..]));
        datagram.waited
    }

    #[test]
    fn what_a_datagram_waited_for_is_known_where_it_was_asked_for() {
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        let time = Duration::from_millis(20);
        assert_eq!(waited(&to, time), Duration::ZERO);
        stamp_arrivals(&to).unwrap();
        // The kernel begins to stamp when a worker of its own comes to it, and stamps what came
        // before that when it is read.
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let begun = Instant::now();
            let waited = waited(&to, time);
            // The two clocks are read one after the other.
            let told = waited + Duration::from_millis(1);
            assert!(told <= begun.elapsed() + Duration::from_millis(1), "{waited:?}");
            if told >= time {
                break;
            }
            assert!(Instant::now() < limit, "{waited:?}");
        }
    }
}
