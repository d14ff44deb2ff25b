//! A layer's bytes on their way from the network to the disk.
//!
//! ```text
//! download (async) ──channel──> Incoming ─> gunzip / unzstd ─> Measured (digest, bound) ─> unpack
//! ```
//!
//! The end of the channel is a message of its own, sent when the blob's digest was right. Without
//! it, reading fails: a layer whose download broke off never looks complete.

use crate::base::digest::{Digest, Hasher};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Read};
use tokio::sync::mpsc;

/// A piece of a blob, or nothing at its verified end.
pub(super) type Piece = Option<Bytes>;

/// The reading end of the channel.
#[derive(Debug)]
pub(super) struct Incoming {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl Incoming {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>) -> Incoming {
        Incoming { pieces, current: Bytes::new(), ended: false }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.current = piece,
                Some(None) => self.ended = true,
                None => return Err(io::Error::other("the download broke off")),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// Decompresses by what the bytes begin with: media types are not always true.
pub(super) fn decompressed(mut source: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::with_capacity(4);
    source.by_ref().take(4).read_to_end(&mut head)?;
    let kind = <[u8; 4]>::try_from(&*head).unwrap_or_default();
    let source = BufReader::with_capacity(64 << 10, io::Cursor::new(head).chain(source));
    Ok(match kind {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            Box::new(Zstd { source, decoder: FrameDecoder::new(), inside: false })
        }
        _ => Box::new(source),
    })
}

/// Zstandard frames one after the other; skippable ones (an index of `zstd:chunked`) are skipped.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.inside {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    self.decoder
                        .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                        .map_err(io::Error::other)?;
                }
                let count = self.decoder.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.inside = false;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => self.inside = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

/// Digests what passes, and stops what is too much.
pub(super) struct Measured<R> {
    inner: R,
    hasher: Hasher,
    left: u64,
}

/// More came out of a compressed layer than may.
#[derive(Debug, thiserror::Error)]
#[error("the layer unpacks to more bytes than allowed")]
pub(super) struct Swollen;

impl<R: Read> Measured<R> {
    pub(super) fn new(inner: R, limit: u64) -> Measured<R> {
        Measured { inner, hasher: Hasher::new(), left: limit }
    }

    /// Reads what is left, and gives the digest of all that came.
    pub(super) fn finish(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hasher.finish())
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(Swollen))?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
