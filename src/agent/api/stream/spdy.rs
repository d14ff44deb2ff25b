//! Frames of SPDY/3.1, as far as port forwarding needs them.
//!
//! ```text
//! control  1 | version 15 | type 16 | flags 8 | length 24 | …
//! data     0 | stream 31            | flags 8 | length 24 | bytes
//! ```
//!
//! Headers of all frames of a direction are one zlib stream that starts with a dictionary (2.6.10
//! of the draft). Clients of Kubernetes use no flow control, so there is none here.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const DICTIONARY: &[u8] = include_bytes!("spdy_dictionary.bin");

/// The last frame of a direction of its stream.
const FIN: u8 = 1;

/// No frame may be longer.
const FRAME_LIMIT: usize = 1 << 20;

/// Headers of a frame have at most so many bytes when they are unpacked.
const HEADER_LIMIT: usize = 16 << 10;

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Opens a stream.
    Open { stream: u32, headers: Vec<(String, String)> },
    /// Bytes of a stream; the last ones when `ends`.
    Data { stream: u32, bytes: Bytes, ends: bool },
    /// Gives a stream up.
    Reset { stream: u32 },
    /// Asks for an echo.
    Ping(u32),
    /// Ends the session.
    GoAway,
    /// Anything that needs no answer.
    Other,
}

/// Reads frames.
#[derive(Debug)]
pub(super) struct FrameReader {
    unpack: Decompress,
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn number(bytes: &[u8], at: usize) -> io::Result<u32> {
    let part = bytes.get(at..at + 4).ok_or_else(|| malformed("the frame is too short"))?;
    Ok(u32::from_be_bytes(part.try_into().expect("four bytes were taken")))
}

impl FrameReader {
    pub(super) fn new() -> FrameReader {
        FrameReader { unpack: Decompress::new(true) }
    }

    /// The next frame; nothing at the end of the connection.
    pub(super) async fn next(
        &mut self,
        source: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<Frame>> {
        let mut head = [0; 8];
        match source.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let (first, second) = (number(&head, 0)?, number(&head, 4)?);
        let flags = head[4];
        let length = (second & 0x00ff_ffff) as usize;
        if length > FRAME_LIMIT {
            return Err(malformed("the frame is too long"));
        }
        let mut body = BytesMut::zeroed(length);
        source.read_exact(&mut body).await?;
        let body = body.freeze();
        let ends = flags & FIN != 0;
        if first >> 31 == 0 {
            return Ok(Some(Frame::Data { stream: first, bytes: body, ends }));
        }
        Ok(Some(match first & 0xffff {
            1 => {
                let stream = number(&body, 0)? & 0x7fff_ffff;
                let packed = body.get(10..).ok_or_else(|| malformed("the frame is too short"))?;
                Frame::Open { stream, headers: self.headers(packed)? }
            }
            // the stream of headers goes on through frames that say nothing new
            2 | 8 => {
                let packed = body.get(4..).ok_or_else(|| malformed("the frame is too short"))?;
                self.headers(packed)?;
                Frame::Other
            }
            3 => Frame::Reset { stream: number(&body, 0)? & 0x7fff_ffff },
            6 => Frame::Ping(number(&body, 0)?),
            7 => Frame::GoAway,
            _ => Frame::Other,
        }))
    }

    fn headers(&mut self, packed: &[u8]) -> io::Result<Vec<(String, String)>> {
        let plain = self.unpack(packed)?;
        let mut at = 4;
        let mut text = || {
            let length = number(&plain, at)? as usize;
            let bytes = plain.get(at + 4..).and_then(|rest| rest.get(..length));
            let bytes = bytes.ok_or_else(|| malformed("the headers are cut short"))?;
            at += 4 + length;
            Ok::<_, io::Error>(String::from_utf8_lossy(bytes).into_owned())
        };
        let mut headers = Vec::new();
        for _ in 0..number(&plain, 0)? {
            headers.push((text()?, text()?));
        }
        Ok(headers)
    }

    fn unpack(&mut self, packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(HEADER_LIMIT);
        let start = self.unpack.total_in();
        loop {
            let used = usize::try_from(self.unpack.total_in() - start).expect("fits a frame");
            if used >= packed.len() {
                return Ok(plain);
            }
            let (in_before, out_before) = (self.unpack.total_in(), plain.len());
            match self.unpack.decompress_vec(&packed[used..], &mut plain, FlushDecompress::Sync) {
                Ok(_) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    self.unpack
                        .set_dictionary(DICTIONARY)
                        .map_err(|_| malformed("the headers have another dictionary"))?;
                    continue;
                }
                Err(_) => return Err(malformed("the headers are not packed as they should be")),
            }
            if self.unpack.total_in() == in_before && plain.len() == out_before {
                return Err(malformed("the headers are too long"));
            }
        }
    }
}

/// Writes frames.
#[derive(Debug)]
pub(super) struct FrameWriter {
    pack: Compress,
}

impl FrameWriter {
    pub(super) fn new() -> FrameWriter {
        let mut pack = Compress::new(Compression::fast(), true);
        pack.set_dictionary(DICTIONARY).expect("nothing has been packed yet");
        FrameWriter { pack }
    }

    /// Accepts a stream, without headers.
    pub(super) fn accept(&mut self, stream: u32) -> Bytes {
        let mut packed = Vec::with_capacity(64);
        self.pack
            .compress_vec(&[0; 4], &mut packed, FlushCompress::Sync)
            .expect("four bytes can be packed");
        let mut body = BytesMut::new();
        body.put_u32(stream);
        body.put_slice(&packed);
        control(2, &body)
    }
}

fn control(kind: u16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + body.len());
    frame.put_u16(0x8003);
    frame.put_u16(kind);
    frame.put_u32(u32::try_from(body.len()).expect("a frame of the server is short"));
    frame.put_slice(body);
    frame.freeze()
}

/// Echoes a ping.
pub(super) fn pong(id: u32) -> Bytes {
    control(6, &id.to_be_bytes())
}

/// Bytes of a stream; the last ones when `ends`.
pub(super) fn data(stream: u32, bytes: &[u8], ends: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + bytes.len());
    frame.put_u32(stream & 0x7fff_ffff);
    let length = u32::try_from(bytes.len()).expect("a piece of a stream is short");
    frame.put_u32(length | u32::from(if ends { FIN } else { 0 }) << 24);
    frame.put_slice(bytes);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that opens a stream, packed as a client packs it.
    fn open(pack: &mut Compress, stream: u32, headers: &[(&str, &str)]) -> Bytes {
        let mut plain = BytesMut::new();
        plain.put_u32(u32::try_from(headers.len()).expect("few"));
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.put_u32(u32::try_from(text.len()).expect("short"));
            plain.put_slice(text.as_bytes());
        }
        let mut packed = Vec::with_capacity(4096);
        pack.compress_vec(&plain, &mut packed, FlushCompress::Sync).expect("packs");
        let mut body = BytesMut::new();
        body.put_u32(stream);
        body.put_bytes(0, 6);
        body.put_slice(&packed);
        control(1, &body)
    }

    async fn read(bytes: &[u8]) -> Vec<io::Result<Option<Frame>>> {
        let (mut reader, mut source, mut frames) = (FrameReader::new(), bytes, Vec::new());
        loop {
            let frame = reader.next(&mut source).await;
            let more = matches!(frame, Ok(Some(_)));
            frames.push(frame);
            if !more {
                return frames;
            }
        }
    }

    #[tokio::test]
    async fn frames_are_read_with_headers_that_share_a_dictionary() {
        let mut writer = FrameWriter::new();
        let mut bytes =
            open(&mut writer.pack, 1, &[("streamtype", "error"), ("port", "80")]).to_vec();
        bytes.extend(open(&mut writer.pack, 3, &[("streamtype", "data")]));
        bytes.extend(data(3, b"hello", true));
        bytes.extend(pong(7));
        let frames: Vec<Frame> =
            read(&bytes).await.into_iter().filter_map(|frame| frame.expect("reads")).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            frames,
            [
                Frame::Open {
                    stream: 1,
                    headers: vec![pair("streamtype", "error"), pair("port", "80")]
                },
                Frame::Open { stream: 3, headers: vec![pair("streamtype", "data")] },
                Frame::Data { stream: 3, bytes: Bytes::from_static(b"hello"), ends: true },
                Frame::Ping(7),
            ]
        );
        for cut in 0..bytes.len() {
            read(&bytes[..cut]).await;
            let mut changed = bytes.clone();
            changed[cut] ^= 0xff;
            read(&changed).await;
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused() {
        let endless = [0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff];
        assert!(read(&endless).await.pop().expect("one").is_err());
        let mut writer = FrameWriter::new();
        let long = "x".repeat(HEADER_LIMIT * 4);
        let bomb = open(&mut writer.pack, 1, &[("a", &long)]);
        assert!(read(&bomb).await.pop().expect("one").is_err());
    }
}
