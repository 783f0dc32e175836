//! Content codings of an answer, undone within a bound.

use std::borrow::Cow;
use std::io::Read;

/// Bytes of history that a Zstandard frame may ask for: what [RFC 9659] allows to HTTP.
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;
const BUFFER: usize = 4096;

/// The body as it was before it was packed, at most `bound` bytes of it; none in a coding, or a row of codings, that is not known.
/// What was cut off, or is damaged, ends early.
pub(super) fn unpacked<'a>(codings: &str, body: &'a [u8], bound: usize) -> Option<Cow<'a, [u8]>> {
    let mut codings = codings.split(',').map(str::trim).filter(|coding| !coding.is_empty());
    let coding = codings.next().unwrap_or("identity").to_ascii_lowercase();
    if codings.next().is_some() {
        return None;
    }
    Some(match coding.as_str() {
        "identity" => Cow::Borrowed(body.get(..bound).unwrap_or(body)),
        "gzip" | "x-gzip" => all_of(flate2::read::MultiGzDecoder::new(body), bound),
        // some servers take the name at its word and leave out the header of zlib
        "deflate" if body.first().is_some_and(|byte| byte & 0x0f == 8) => {
            all_of(flate2::read::ZlibDecoder::new(body), bound)
        }
        "deflate" => all_of(flate2::read::DeflateDecoder::new(body), bound),
        "br" => all_of(brotli_decompressor::Decompressor::new(body, BUFFER), bound),
        "zstd" => all_of(ruzstd::decoding::StreamingDecoder::new_with_max_window_size(body, ZSTD_WINDOW).ok()?, bound),
        _ => return None,
    })
}

fn all_of<'a>(reader: impl Read, bound: usize) -> Cow<'a, [u8]> {
    let mut unpacked = Vec::new();
    // an error says that the copy ends here; what came before it is kept
    let _ = reader.take(u64::try_from(bound).unwrap_or(u64::MAX)).read_to_end(&mut unpacked);
    Cow::Owned(unpacked)
}
