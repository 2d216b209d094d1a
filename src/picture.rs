//! Pictures that stand for streams: one of name and colour, for a stream that has no other, and the
//! sizes of those that publishers send.
//!
//! ```text
//! JPEG of the publisher ─► newest keyframe, if VP8 ─► name and colour      the first that there is
//! ```

use crate::stream_name::StreamName;
use crate::webm::{keyframe_size, webp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha1::{Digest, Sha1};
use std::fmt::Write as _;

/// Bytes of a keyframe that its version is made of, with its length: another keyframe of a stream has
/// others, and a long one need not be read whole.
const ETAG_BYTES_MAX: usize = 4096;

/// A picture, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub media_type: &'static str,
    pub bytes: Bytes,
    /// With its quotes.
    pub etag: String,
    pub size: Option<Size>,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

/// What a picture of a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    Name,
    None,
}

impl Picture {
    pub fn jpeg(bytes: Bytes) -> Picture {
        Picture {
            media_type: "image/jpeg",
            etag: etag(&[&bytes]),
            size: jpeg_size(&bytes),
            bytes,
        }
    }

    /// A VP8 keyframe as a WebP file; `None` for any other frame.
    pub fn keyframe(frame: &[u8]) -> Option<Picture> {
        let (width, height) = keyframe_size(frame)?;
        let begin = &frame[..frame.len().min(ETAG_BYTES_MAX)];
        Some(Picture {
            media_type: "image/webp",
            bytes: webp(frame)?,
            etag: etag(&[&frame.len().to_le_bytes(), begin]),
            size: Some(Size { width, height }),
        })
    }

    /// A JPEG or a WebP file that another node has sent; `None` for anything else.
    pub fn from_node(media_type: &str, bytes: Bytes) -> Option<Picture> {
        match media_type {
            "image/jpeg" => Some(Picture::jpeg(bytes)),
            "image/webp" => Some(Picture {
                media_type: "image/webp",
                etag: etag(&[&bytes]),
                bytes,
                size: None,
            }),
            _ => None,
        }
    }

    /// The name on a ground of its own colour; or only its first letter, for pages that have the name
    /// in words of their own.
    pub fn of_name(name: &StreamName, words: Words) -> Picture {
        let lines = match words {
            Words::Name => lines(name.as_str()),
            Words::None => Vec::new(),
        };
        let svg = svg(name, &lines);
        Picture {
            media_type: "image/svg+xml",
            etag: etag(&[svg.as_bytes()]),
            bytes: svg.into(),
            size: None,
        }
    }
}

fn etag(parts: &[&[u8]]) -> String {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.finalize()))
}

/// Letters of a name in one line: a name has three lines at most.
const LINE_LETTERS: usize = 22;

/// Of ground and of the large letter on it: dark enough that the name on either has a contrast of 4.5:1
/// in every hue (WCAG 2.2, 1.4.3).
const GROUND: (f64, f64) = (0.42, 0.23);
const LETTER: (f64, f64) = (0.42, 0.28);
const INK: &str = "#f7f3ea";

/// Of the name: a long one is smaller.
const FONT_SIZE: f64 = 44.0;
const LINE_WIDTH: f64 = 568.0;

/// Where the last line of the name stands. Badges of pages are above, the controls of players below.
const LAST_LINE_Y: f64 = 240.0;
const NAME_HEIGHT: f64 = 152.0;

/// The same name has the same picture, always.
///
/// A name has no character that XML would read as markup: see [`StreamName`].
fn svg(name: &StreamName, lines: &[&str]) -> String {
    let hue = f64::from(hash(name.as_str()) % 360);
    let (ground, letter) = (hex(rgb(hue, GROUND)), hex(rgb(hue, LETTER)));
    let first = name.as_str().chars().find(char::is_ascii_alphanumeric);
    let first = first.unwrap_or('·').to_ascii_uppercase();
    let widest = lines.iter().map(|line| width(line)).fold(0.0, f64::max);
    let height = 1.2 * lines.len() as f64 - 0.4;
    let size = FONT_SIZE.min(LINE_WIDTH / widest).min(NAME_HEIGHT / height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 360\" width=\"640\" height=\"360\" \
         font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif\">\
         <rect width=\"640\" height=\"360\" fill=\"{ground}\"/>\
         <text x=\"616\" y=\"330\" font-size=\"400\" font-weight=\"700\" text-anchor=\"end\" fill=\"{letter}\">\
         {first}</text>\
         <g font-size=\"{size:.1}\" font-weight=\"650\" fill=\"{INK}\">"
    );
    for (line, index) in lines.iter().rev().zip(0u8..) {
        let y = LAST_LINE_Y - 1.2 * size * f64::from(index);
        write!(svg, "<text x=\"36\" y=\"{y:.0}\">{line}</text>").expect("text takes all");
    }
    svg + "</g></svg>"
}

/// How wide a line is in a bold font, in sizes of the font: a guess for a wide one.
fn width(line: &str) -> f64 {
    let of_letter = |letter: char| match letter {
        'm' | 'w' | 'M' | 'W' => 1.1,
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | 'I' | '.' | '-' => 0.48,
        'A'..='Z' => 0.82,
        _ => 0.7,
    };
    line.chars().map(of_letter).sum()
}

/// Broken behind a dot, a dash or an underscore in the second half of a line, else anywhere.
fn lines(name: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = name;
    while rest.len() > LINE_LETTERS {
        let most = &rest[..LINE_LETTERS];
        let behind = most.rfind(['.', '-', '_']).map(|at| at + 1);
        let end = behind.filter(|&end| end > LINE_LETTERS / 2);
        let (line, after) = rest.split_at(end.unwrap_or(LINE_LETTERS));
        lines.push(line);
        rest = after;
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// FNV-1a: it must be the same in every version and on every node, and be no secret.
fn hash(text: &str) -> u32 {
    let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, mix)
}

/// From hue in degrees, saturation and lightness (CSS Color 4, section 7.1).
fn rgb(hue: f64, (saturation, lightness): (f64, f64)) -> [u8; 3] {
    [0.0, 8.0, 4.0].map(|n| {
        let k = (n + hue / 30.0) % 12.0;
        let a = saturation * f64::min(lightness, 1.0 - lightness);
        let channel = lightness - a * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (channel * 255.0).round() as u8
    })
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The size of a JPEG picture, as its frame header says it (ITU-T T.81, B.2.2); `None` where none
/// is found in front of the picture's data.
fn jpeg_size(jpeg: &[u8]) -> Option<Size> {
    // Behind the start of image.
    let mut rest = jpeg.get(2..)?;
    loop {
        let (&first, &marker) = (rest.first()?, rest.get(1)?);
        if first != 0xff {
            return None;
        }
        if marker == 0xff {
            // A marker may have fill bytes in front of it (B.1.1.2).
            rest = &rest[1..];
            continue;
        }
        let number = |at: usize| Some(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
        match marker {
            // Start of frame; those left out are tables for coding.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                return Some(Size {
                    height: number(5)?,
                    width: number(7)?,
                });
            }
            // Start of scan, end of image.
            0xda | 0xd9 => return None,
            _ => rest = rest.get(2 + usize::from(number(2)?)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> StreamName {
        StreamName::try_from(text).unwrap()
    }

    fn luminance(color: [u8; 3]) -> f64 {
        let [red, green, blue] = color.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn name_is_readable_in_every_hue() {
        let ink = u32::from_str_radix(&INK[1..], 16).unwrap().to_be_bytes();
        let ink = luminance([ink[1], ink[2], ink[3]]);
        for hue in 0..360 {
            for shade in [GROUND, LETTER] {
                let contrast = (ink + 0.05) / (luminance(rgb(f64::from(hue), shade)) + 0.05);
                assert!(contrast >= 4.5, "hue {hue}: {contrast:.2}");
            }
        }
        assert_eq!(rgb(0.0, (1.0, 0.5)), [255, 0, 0]);
        assert_eq!(rgb(210.0, (0.5, 0.4)), [51, 102, 153]);
    }

    #[test]
    fn one_name_has_one_picture_and_names_differ_in_color() {
        let ground = |text: &str| {
            let svg = svg(&name(text), &[]);
            svg.split("fill=\"").nth(1).unwrap()[..7].to_owned()
        };
        let of = |words| Picture::of_name(&name("demo"), words);
        assert_eq!(of(Words::Name), of(Words::Name));
        assert_ne!(of(Words::Name).etag, of(Words::None).etag);
        // Never another: pages of an older server may show it beside a newer one's.
        assert_eq!(ground("demo"), "#4e2253");
        let mut grounds: Vec<_> = (0..20).map(|n| ground(&format!("camera-{n}"))).collect();
        grounds.sort();
        grounds.dedup();
        assert!(grounds.len() > 15, "{grounds:?}");
    }

    #[test]
    fn name_of_any_length_is_on_the_picture_whole() {
        let number = |text: &str| text.split('"').next().unwrap().parse::<f64>().unwrap();
        for text in [
            "a",
            "_",
            "front-door",
            &"x".repeat(64),
            &"W".repeat(64),
            "a-name.with_many.parts-in_it-and.more-of_them-than.fit-in_a.line",
            "0123456789012345678901-",
        ] {
            let lines = lines(text);
            assert_eq!(lines.concat(), text);
            assert!(lines.len() <= 5, "{lines:?}");
            assert!(lines.iter().all(|line| line.len() <= LINE_LETTERS));
            let svg = svg(&name(text), &lines);
            assert_eq!(svg.matches("<text").count(), lines.len() + 1);
            assert!(lines.iter().all(|line| svg.contains(line)), "{svg}");
            let size = number(svg.split("<g font-size=\"").nth(1).unwrap());
            let is_wide = |line| width(line) * size > LINE_WIDTH + 1.0;
            assert!(!lines.iter().any(|line| is_wide(line)), "{svg}");
            let tops = svg.split("<text x=\"36\" y=\"").skip(1).map(number);
            assert!(tops.into_iter().all(|y| y > 84.0), "{svg}");
        }
    }

    #[test]
    fn jpeg_tells_its_size() {
        let jpeg = [
            // Start of image, a comment, a fill byte, quantisation tables.
            &[
                0xff, 0xd8, 0xff, 0xfe, 0, 4, 1, 2, 0xff, 0xff, 0xdb, 0, 3, 0,
            ][..],
            // The frame: 360 × 640, and one component.
            &[0xff, 0xc2, 0, 11, 8, 1, 104, 2, 128, 1, 1, 0x11, 0],
        ]
        .concat();
        let size = Size {
            width: 640,
            height: 360,
        };
        assert_eq!(jpeg_size(&jpeg), Some(size));
        for length in 0..jpeg.len() - 4 {
            assert_eq!(jpeg_size(&jpeg[..length]), None, "{length}");
        }
        for broken in [
            &[0xff, 0xd8, 0xff, 0xda, 0, 4][..],
            &[0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 0xff, 0xc0],
            &[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0],
            &[0xff, 0xd8, 0, 0],
            &[0xff; 100],
        ] {
            assert_eq!(jpeg_size(broken), None, "{broken:x?}");
        }
    }
}
