//! What a worker's thread sleeps on: its sockets, and an eventfd that any thread raises.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::UdpSocket;

/// A counter in the kernel that one thread waits for and any thread raises.
pub(crate) struct Waker(OwnedFd);

impl Waker {
    /// Makes the eventfd.
    ///
    /// # Errors
    /// What the kernel says: out of file descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is new and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Wakes the thread that waits, or lets its next wait return at once.
    pub(crate) fn wake(&self) {
        let one = 1u64;
        // SAFETY: eight live bytes are written to an open eventfd. Its only failure is a counter at
        // its maximum, and then the thread is awake already.
        unsafe { libc::write(self.0.as_raw_fd(), std::ptr::from_ref(&one).cast(), 8) };
    }

    /// Sets the counter back, so that the next wait sleeps.
    pub(crate) fn clear(&self) {
        let mut counter = 0u64;
        // SAFETY: eight live bytes are read into; EAGAIN means that it was clear.
        unsafe { libc::read(self.0.as_raw_fd(), std::ptr::from_mut(&mut counter).cast(), 8) };
    }
}

/// What ended a wait; nothing, when its time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ready {
    /// The socket has something to read.
    pub(crate) socket: bool,
    /// The waker was raised.
    pub(crate) waker: bool,
    /// Something happened at the TCP descriptor.
    pub(crate) tcp: bool,
}

/// Sleeps until `socket` has something to read, `waker` is raised, something happens at `tcp` or
/// `timeout` passes (none: forever).
///
/// # Errors
/// What the kernel says; EINTR is no error.
pub(crate) fn wait(
    socket: &UdpSocket,
    waker: &Waker,
    tcp: Option<RawFd>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    // The kernel passes over a negative descriptor.
    let descriptors = [socket.socket.as_raw_fd(), waker.0.as_raw_fd(), tcp.unwrap_or(-1)];
    let mut descriptors =
        descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().min(3600) as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array and the timespec live through the call; no signal mask is given.
    let result = unsafe { libc::ppoll(descriptors.as_mut_ptr(), 3, time, std::ptr::null()) };
    match io::Error::last_os_error() {
        error if result < 0 && error.raw_os_error() != Some(libc::EINTR) => Err(error),
        _ if result <= 0 => Ok(Ready::default()),
        _ => {
            let [socket, waker, tcp] = descriptors.map(|one| one.revents != 0);
            Ok(Ready { socket, waker, tcp })
        }
    }
}
