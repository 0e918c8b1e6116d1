//! The body of a report, unpacked: no bigger than it may be, however small it came.

use std::io::Read;

/// As the public Sentry has it for a compressed envelope, in bytes.
pub const LARGEST: usize = 20 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Larger than [`LARGEST`] once it is unpacked.
    TooLarge,
    Encoding(String),
    Broken(String),
}

/// `encoding` is the request's Content-Encoding.
pub fn unpack(body: &[u8], encoding: &str) -> Result<Vec<u8>, Unreadable> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => read(body),
        "gzip" => read(flate2::read::GzDecoder::new(body)),
        // zlib by the RFC; bare deflate by some clients.
        "deflate" => match read(flate2::read::ZlibDecoder::new(body)) {
            Err(Unreadable::Broken(_)) => read(flate2::read::DeflateDecoder::new(body)),
            read => read,
        },
        "br" => read(brotli_decompressor::Decompressor::new(body, 16 << 10)),
        other => Err(Unreadable::Encoding(other.to_owned())),
    }
}

/// What the oldest clients send without saying so: JSON in zlib in base64.
pub fn unpack_old(body: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
    use base64::Engine as _;
    if body.first() == Some(&b'{') {
        return Ok(body);
    }
    match base64::engine::general_purpose::STANDARD.decode(body.trim_ascii()) {
        Ok(packed) => read(flate2::read::ZlibDecoder::new(&packed[..])),
        Err(_) => read(flate2::read::ZlibDecoder::new(&body[..])),
    }
}

fn read(from: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    from.take(LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Unreadable::Broken(format!("it cannot be unpacked: {error}")))?;
    if bytes.len() > LARGEST { Err(Unreadable::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let level = flate2::Compression::default();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), level);
        gzip.write_all(bytes).unwrap();
        zlib.write_all(bytes).unwrap();
        bare.write_all(bytes).unwrap();
        vec![("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("Deflate", bare.finish().unwrap())]
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for (encoding, body) in packed(b"{}") {
            assert_eq!(unpack(&body, encoding).unwrap(), b"{}", "{encoding}");
        }
        // "{}" as the brotli tool packs it.
        assert_eq!(unpack(&[0x8f, 0x00, 0x80, b'{', b'}', 0x03], "br").unwrap(), b"{}");
        assert_eq!(unpack(b"{}", "").unwrap(), b"{}");
        assert_eq!(unpack(b"{}", "zstd"), Err(Unreadable::Encoding("zstd".into())));
        assert!(matches!(unpack(b"nonsense", "gzip"), Err(Unreadable::Broken(_))));
    }

    #[test]
    fn a_bomb_is_refused() {
        for (encoding, body) in packed(&vec![0; LARGEST + 1]) {
            assert_eq!(unpack(&body, encoding), Err(Unreadable::TooLarge), "{encoding}");
        }
    }
}
