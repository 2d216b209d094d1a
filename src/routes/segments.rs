//! What is asked for below `/live/NAME/`: init segments, segments by number, and the lists of them.

use super::refusals::refuse_socket_to_file;
use super::{READ, Refusal, RequestHead, Route, StreamName};
use crate::http::Method;
use crate::http::refusal::Cause;

/// One address below that of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentFile {
    /// `init-G.webm`.
    Init(u64),
    /// `N.webm`.
    Media(u64),
    /// `live.json`; with `?after=N` when N is finished.
    List { after: Option<u64> },
    /// `live.mpd`.
    Manifest,
}

impl SegmentFile {
    fn parse(file: &str) -> Option<SegmentFile> {
        match file {
            "live.json" => Some(SegmentFile::List { after: None }),
            "live.mpd" => Some(SegmentFile::Manifest),
            _ => {
                let name = file.strip_suffix(".webm")?;
                match name.strip_prefix("init-") {
                    Some(generation) => number(generation).map(SegmentFile::Init),
                    None => number(name).map(SegmentFile::Media),
                }
            }
        }
    }
}

/// A number as it is written in an address: each has one address, or caches would keep it twice.
fn number(text: &str) -> Option<u64> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Whether `path`, below `/live/`, is the address of a segment or a list of them.
pub(super) fn is_segment_file(path: &str) -> bool {
    path.split_once('/').is_some_and(|(name, file)| {
        StreamName::try_from(name).is_ok() && SegmentFile::parse(file).is_some()
    })
}

/// The route to `NAME/FILE` below `/live/`; `None` where FILE is none of a stream's.
pub(super) fn route_segment(head: &RequestHead, path: &str) -> Option<Result<Route, Refusal>> {
    let (name, file) = path.split_once('/')?;
    let file = SegmentFile::parse(file)?;
    Some(route_file(head, name, file))
}

fn route_file(head: &RequestHead, name: &str, mut file: SegmentFile) -> Result<Route, Refusal> {
    let name = StreamName::try_from(name)?;
    refuse_socket_to_file(head, &name)?;
    if !matches!(head.method, Method::Get | Method::Head) {
        return Err(Refusal::not_allowed(READ));
    }
    if let SegmentFile::List { after } = &mut file
        && let Some(text) = head.query.value("after")
    {
        let refusal = || {
            let reason = "after is the number of a segment, as in ?after=1764403200000";
            Refusal::new(400, reason).because(Cause::Address)
        };
        *after = Some(number(text).ok_or_else(refusal)?);
    }
    Ok(Route::Segment { name, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_address() {
        for (file, expected) in [
            ("live.json", Some(SegmentFile::List { after: None })),
            ("live.mpd", Some(SegmentFile::Manifest)),
            ("init-12.webm", Some(SegmentFile::Init(12))),
            ("12.webm", Some(SegmentFile::Media(12))),
            ("0.webm", Some(SegmentFile::Media(0))),
            ("012.webm", None),
            ("+12.webm", None),
            ("-1.webm", None),
            ("1e3.webm", None),
            (".webm", None),
            ("init-.webm", None),
            ("99999999999999999999.webm", None),
            ("12.mp4", None),
            ("init.webm", None),
            ("12", None),
        ] {
            assert_eq!(SegmentFile::parse(file), expected, "{file}");
        }
    }
}
