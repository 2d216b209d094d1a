//! Bits a second, as people write them.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// Bits a second, written `2.5M`, `500k` or `800000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct BitRate(pub u64);

/// In a file it may be a number.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected bits a second, such as 2500000 or \"2.5M\""
)]
enum Written {
    Number(u64),
    Text(String),
}

impl FromStr for BitRate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<BitRate, &'static str> {
        const EXPECTED: &str = "expected bits a second, such as 2.5M or 500k";
        let text = text
            .trim()
            .trim_end_matches("bit/s")
            .trim_end_matches("bps");
        let (number, unit) = match text.trim_end().char_indices().last() {
            Some((at, 'k' | 'K')) => (&text[..at], 1e3),
            Some((at, 'M')) => (&text[..at], 1e6),
            Some((at, 'G')) => (&text[..at], 1e9),
            _ => (text, 1.0),
        };
        let bits = number.trim().parse::<f64>().map_err(|_| EXPECTED)? * unit;
        match bits {
            10e3..=10e9 => Ok(BitRate(bits.round() as u64)),
            _ => Err("expected 10k to 10G bits a second"),
        }
    }
}

impl TryFrom<Written> for BitRate {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<BitRate, &'static str> {
        match written {
            Written::Number(bits) => bits.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 as f64 {
            bits @ 1e9.. => write!(formatter, "{}G", bits / 1e9),
            bits @ 1e6.. => write!(formatter, "{}M", bits / 1e6),
            bits => write!(formatter, "{}k", bits / 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bits_a_second() {
        for (text, bits, written) in [
            ("2.5M", 2_500_000, "2.5M"),
            ("500k", 500_000, "500k"),
            ("800000", 800_000, "800k"),
            ("1 Mbit/s", 1_000_000, "1M"),
            ("10kbps", 10_000, "10k"),
            ("1G", 1_000_000_000, "1G"),
        ] {
            assert_eq!(text.parse(), Ok(BitRate(bits)), "{text}");
            assert_eq!(BitRate(bits).to_string(), written);
        }
        let of_file = |text: &str| toml::from_str::<toml::Table>(text).unwrap()["rate"].clone();
        for text in ["rate = 2500000", "rate = '2.5M'"] {
            assert_eq!(of_file(text).try_into(), Ok(BitRate(2_500_000)), "{text}");
        }
        assert!(of_file("rate = true").try_into::<BitRate>().is_err());
        for text in ["", "M", "-1M", "fast", "9k", "nan", "11G", "1e"] {
            assert!(text.parse::<BitRate>().is_err(), "{text}");
        }
    }
}
