//! The server's side of WebSocket (RFC 6455): whole messages in, binary messages out.
//!
//! Hand-made because the protocol is small and nothing else here needs one. Extensions are not
//! offered, texts and binaries are not told apart.

use base64::Engine as _;
use http::{HeaderMap, HeaderValue};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A longer message ends the connection.
const MESSAGE_LIMIT: usize = 1 << 20;

/// Appended to the client's key (section 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a frame holds (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message.
    Binary = 2,
    /// The end; a client answers with its own.
    Close = 8,
    /// To be answered by `Pong`.
    Ping = 9,
    /// The answer to `Ping`.
    Pong = 10,
}

/// The answer to the client's key; nothing when the request is no handshake.
pub(crate) fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let is = |name: &str, value: &str| {
        let header = headers.get(name).and_then(|header| header.to_str().ok()).unwrap_or_default();
        header.split(',').any(|part| part.trim().eq_ignore_ascii_case(value))
    };
    if !is("upgrade", "websocket") || !is("connection", "upgrade") {
        return None;
    }
    let key = headers.get("sec-websocket-key")?.as_bytes();
    let text = [key, MAGIC].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
    let encoded = base64::engine::general_purpose::STANDARD.encode(digest.as_ref());
    HeaderValue::from_str(&encoded).ok()
}

/// Reads the client's next message; none when the connection has ended.
///
/// # Cancellation
/// A message that is half read is lost: read in one task until the end.
pub(crate) async fn read(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut message = Vec::new();
    loop {
        let mut head = [0; 2];
        match from.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let [first, second] = head;
        let length = match second & 0x7f {
            126 => u64::from(from.read_u16().await?),
            127 => from.read_u64().await?,
            length => length.into(),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if second & 0x80 == 0 || length.saturating_add(message.len()) > MESSAGE_LIMIT {
            return Err(io::Error::other("a frame without a mask, or a message that is too long"));
        }
        let mut mask = [0; 4];
        from.read_exact(&mut mask).await?;
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        match first & 0x0f {
            8 => return Ok(Some((Kind::Close, payload))),
            // may stand between the frames of a message, which goes on afterwards
            9 if message.is_empty() => return Ok(Some((Kind::Ping, payload))),
            9 | 10 => {}
            _ => {
                message.extend_from_slice(&payload);
                if first & 0x80 != 0 {
                    return Ok(Some((Kind::Binary, message)));
                }
            }
        }
    }
}

/// Writes one message as one frame.
pub(crate) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    payload: &[u8],
) -> io::Result<()> {
    let mut frame = vec![0x80 | kind as u8];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    to.write_all(&frame).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_specification_gets_its_answer() {
        let mut headers = HeaderMap::new();
        assert_eq!(accept(&headers), None);
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(accept(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn frames_are_unmasked_and_joined() {
        // "Hello" in two masked frames with a ping between, then a close
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let frame = |first: u8, text: &[u8]| {
            let mut frame = vec![first, 0x80 | u8::try_from(text.len()).unwrap()];
            frame.extend_from_slice(&mask);
            frame.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            frame
        };
        let wire = [frame(0x02, b"Hel"), frame(0x89, b"x"), frame(0x80, b"lo"), frame(0x88, b"")];
        let wire = wire.concat();
        let mut from = wire.as_slice();
        assert_eq!(read(&mut from).await.unwrap(), Some((Kind::Binary, b"Hello".to_vec())));
        assert_eq!(read(&mut from).await.unwrap(), Some((Kind::Close, Vec::new())));
        assert_eq!(read(&mut from).await.unwrap(), None);
        assert!(read(&mut &[0x82, 0x01, b'x'][..]).await.is_err(), "clients must mask");
        let mut out = Vec::new();
        write(&mut out, Kind::Binary, &[7; 300]).await.unwrap();
        assert_eq!(&out[..4], [0x82, 126, 1, 44]);
    }
}
