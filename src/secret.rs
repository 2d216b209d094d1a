//! A string that is never shown, and compared in constant time.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use sha1::{Digest as _, Sha1};
use std::fmt;
use subtle::{Choice, ConstantTimeEq as _};

/// A key, which no log and no error message may show: its `Debug` is `***`.
///
/// Comparing two takes the same time whatever they have in common. What is compared is their SHA-1,
/// worked out once when each is made: so the lengths are equal, and neither the length nor the
/// first letters of a configured key can be found by timing guesses. (No collision helps a guesser:
/// one of the two texts is unknown to them.)
#[derive(Clone, Eq)]
pub struct Secret {
    text: String,
    digest: [u8; 20],
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let digest = Sha1::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    /// The key itself, for code that sends or prints it on purpose.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value of an `Authorization` field that shows this key. Bearer is for visible ASCII; Basic
    /// carries any text (RFC 7617).
    pub fn authorization(&self) -> String {
        if self.text.bytes().all(|byte| byte.is_ascii_graphic()) {
            format!("Bearer {}", self.text)
        } else {
            let pair = format!("source:{}", self.text);
            format!("Basic {}", BASE64_STANDARD.encode(pair))
        }
    }

    pub fn matches(&self, other: &Self) -> Choice {
        self.digest.ct_eq(&other.digest)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other).into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// `serde`'s own message for a number or a truth where text should be would show it.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        fn not_text<E: Error>() -> E {
            E::custom("a secret is text in quotes")
        }

        impl Visitor<'_> for Text {
            type Value = Secret;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
                Err(not_text())
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
                Err(not_text())
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
                Err(not_text())
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
                Err(not_text())
            }
        }

        deserializer.deserialize_str(Text)
    }
}
