//! Container logs in the format of Kubernetes' container runtime interface.
//!
//! One line each: `2026-01-02T03:04:05.000000006Z stdout F text`. `P` instead of `F` marks a piece
//! that the next line of the same stream goes on with. When a file reaches its size it is renamed
//! to `<name>.<time>` and a new one begun, so that names sort by age.

mod read;
mod write;

pub use read::{LogError, LogOptions, read};
pub(super) use write::{Splitter, Writer};

/// Which output a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}
