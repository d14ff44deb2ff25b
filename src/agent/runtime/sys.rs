//! The kernel's calls that have no safe wrapper elsewhere: the only file with `unsafe`.
//!
//! Everything else about the kernel goes through `rustix`, whose functions are safe.

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;
use seccompiler::sock_filter;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Moves the calling thread into new namespaces of the given kinds.
///
/// Only for kinds that do not concern file descriptors; a thread that called this must end rather
/// than go back to a pool.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    assert!(!flags.contains(UnshareFlags::FILES), "descriptors stay shared between threads");
    // SAFETY: the one hazard of `unshare` is `CLONE_FILES`, which is refused above.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// Which side of a fork the caller is on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fork {
    /// The new process.
    Child,
    /// The old process, with the child's number.
    Parent(Pid),
}

/// The knowledge that a process has one thread. Whoever has it must start no other one.
#[derive(Debug)]
pub(super) struct OneThread(Pid);

impl OneThread {
    /// Looks at the process.
    ///
    /// # Errors
    /// When it has more threads: a fork could then hang on a lock that another one held.
    pub(super) fn check() -> io::Result<OneThread> {
        match std::fs::read_dir("/proc/self/task")?.count() {
            1 => Ok(OneThread(rustix::process::getpid())),
            threads => {
                Err(io::Error::other(format!("a process with {threads} threads cannot fork")))
            }
        }
    }

    /// Forks. Works in namespaces whose `/proc` does not show this process, too.
    pub(super) fn fork(self) -> io::Result<Fork> {
        assert_eq!(rustix::process::getpid(), self.0, "another process may have other threads");
        // SAFETY: the process has one thread, so the child inherits no lock that is held.
        match unsafe { libc::fork() } {
            0 => Ok(Fork::Child),
            pid => match Pid::from_raw(pid) {
                Some(pid) if pid.as_raw_nonzero().get() > 0 => Ok(Fork::Parent(pid)),
                _ => Err(io::Error::last_os_error()),
            },
        }
    }
}

/// One of a process's standard streams.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standard {
    /// Descriptor 0.
    Input = 0,
    /// Descriptor 1.
    Output = 1,
    /// Descriptor 2.
    Error = 2,
}

/// Makes a descriptor one of the standard streams, in the place of what it was.
pub(super) fn set_standard(stream: Standard, fd: impl AsFd) -> io::Result<()> {
    // SAFETY: `dup2` touches no memory; the standard descriptors belong to no `OwnedFd`, so that
    // replacing one closes nothing that somebody owns.
    let result = unsafe { libc::dup2(fd.as_fd().as_raw_fd(), stream as libc::c_int) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets tokio wait for a descriptor to become readable.
pub(super) fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is the one owner of its descriptor and always gives the same one, so the
    // registration cannot come to mean another file.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
}

/// Installs a seccomp filter for the calling thread and everything it starts.
///
/// Needs `CAP_SYS_ADMIN` or no-new-privileges.
pub(super) fn install_seccomp(program: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len())
        .map_err(|_| io::Error::other("the seccomp program is too long"))?;
    let header = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `header` points at `length` instructions that live until the call returns; the kernel
    // copies and does not write them. `seccompiler::sock_filter` and `libc::sock_filter` both are
    // the kernel's `struct sock_filter` (`repr(C)`: u16, u8, u8, u32).
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::c_ulong::from(0_u8),
            std::ptr::from_ref(&header),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads a signal as `SIGTERM`, `TERM`, `15` or `SIGRTMIN+3`.
pub(super) fn signal_named(name: &str) -> Option<Signal> {
    const NAMES: &[(&str, i32)] = &[
        ("HUP", libc::SIGHUP),
        ("INT", libc::SIGINT),
        ("QUIT", libc::SIGQUIT),
        ("ILL", libc::SIGILL),
        ("TRAP", libc::SIGTRAP),
        ("ABRT", libc::SIGABRT),
        ("BUS", libc::SIGBUS),
        ("FPE", libc::SIGFPE),
        ("KILL", libc::SIGKILL),
        ("USR1", libc::SIGUSR1),
        ("SEGV", libc::SIGSEGV),
        ("USR2", libc::SIGUSR2),
        ("PIPE", libc::SIGPIPE),
        ("ALRM", libc::SIGALRM),
        ("TERM", libc::SIGTERM),
        ("STKFLT", libc::SIGSTKFLT),
        ("CHLD", libc::SIGCHLD),
        ("CONT", libc::SIGCONT),
        ("STOP", libc::SIGSTOP),
        ("TSTP", libc::SIGTSTP),
        ("TTIN", libc::SIGTTIN),
        ("TTOU", libc::SIGTTOU),
        ("URG", libc::SIGURG),
        ("XCPU", libc::SIGXCPU),
        ("XFSZ", libc::SIGXFSZ),
        ("VTALRM", libc::SIGVTALRM),
        ("PROF", libc::SIGPROF),
        ("WINCH", libc::SIGWINCH),
        ("IO", libc::SIGIO),
        ("PWR", libc::SIGPWR),
        ("SYS", libc::SIGSYS),
        ("RTMIN", REALTIME_FIRST),
        ("RTMAX", REALTIME_LAST),
    ];
    let upper = name.trim().to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let (base, offset) = match short.split_once(['+', '-']) {
        Some((base, digits)) => {
            let digits: i32 = digits.parse().ok()?;
            (base, if short.contains('-') { -digits } else { digits })
        }
        None => (short, 0),
    };
    let number = match base.parse::<i32>() {
        Ok(number) if offset == 0 => number,
        Ok(_) => return None,
        Err(_) => NAMES.iter().find(|(known, _)| *known == base)?.1,
    };
    let realtime = number == REALTIME_FIRST || number == REALTIME_LAST;
    let number = if offset == 0 || realtime { number + offset } else { return None };
    if !(1..=REALTIME_LAST).contains(&number) {
        return None;
    }
    // SAFETY: the number is one that the kernel knows. The C library's own two, 32 and 33, upset
    // only a process that gets them without expecting it, not this one, which sends them.
    Some(unsafe { Signal::from_raw_unchecked(number) })
}

/// `SIGRTMIN` as programs see it: the C library keeps the first two.
const REALTIME_FIRST: i32 = 34;
const REALTIME_LAST: i32 = 64;

#[cfg(test)]
mod tests {
    use super::signal_named;

    #[test]
    fn signals() {
        let check = |name: &str, number: Option<i32>| {
            assert_eq!(signal_named(name).map(rustix::process::Signal::as_raw), number, "{name}");
        };
        check("SIGTERM", Some(15));
        check("term", Some(15));
        check("9", Some(9));
        check("SIGRTMIN+3", Some(37));
        check("RTMAX-1", Some(63));
        check("TERM+1", None);
        check("SIGNOPE", None);
        check("0", None);
        check("65", None);
    }
}
