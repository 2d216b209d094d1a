//! Keys and secrets of the options: given, in a file, or random.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{ConfigError, option_error, value_error};
use crate::access::token::TokenKey;
use crate::secret::Secret;

/// Bytes of a file with a secret in it: far more than any has.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

pub(super) const WHAT_A_KEY_IS: &str = "a key is 1 to 256 characters, any but control characters";

/// A control character would end a line of a request.
pub(super) fn is_key(key: &Secret) -> bool {
    let key = key.expose();
    (1..=256).contains(&key.chars().count()) && !key.contains(char::is_control)
}

/// What tokens are signed and checked with, if a secret was given.
pub(super) fn token_key(
    given: Option<Secret>,
    file: Option<&Path>,
) -> Result<Option<TokenKey>, ConfigError> {
    let secret = secret(("--token-secret", given), ("--token-secret-file", file))?;
    let key = secret.map(|(option, secret)| {
        TokenKey::new(&secret).map_err(|error| option_error(option, error))
    });
    key.transpose()
}

/// A secret that was given, or stands in a file that was named; and by which option.
pub(super) fn secret(
    given: (&'static str, Option<Secret>),
    file: (&'static str, Option<&Path>),
) -> Result<Option<(&'static str, Secret)>, ConfigError> {
    match (given, file) {
        ((option, Some(_)), (other, Some(_))) => {
            let reason = format!("contradicts {option}: give one of them");
            Err(option_error(other, reason))
        }
        ((option, Some(secret)), (_, None)) => Ok(Some((option, secret))),
        ((_, None), (option, Some(path))) => {
            let mut text = String::new();
            let read = File::open(path)
                .and_then(|file| file.take(SECRET_FILE_BYTES_MAX).read_to_string(&mut text));
            if let Err(error) = read {
                return Err(value_error(option, path.display(), error.to_string()));
            }
            // Editors end the last line.
            let secret = text.trim_end_matches(['\r', '\n']);
            Ok(Some((option, Secret::new(secret))))
        }
        ((_, None), (_, None)) => Ok(None),
    }
}

/// 128 random bits, in letters that need no escaping in a URL.
pub(super) fn random_key() -> Result<Secret, ConfigError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(ConfigError::Random)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bits)))
}
