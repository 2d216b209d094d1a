//! Signed links: `?token=` lets its bearer publish or watch one stream until it expires.
//!
//! A token is a JSON Web Token (RFC 7519), so that any web application can make one in any
//! language, without asking this server:
//!
//! ```text
//! { "sub": "garden", "act": "watch", "exp": 1767225600 }      signed with HS256 (RFC 7515)
//! ```
//!
//! `sub` is the stream, `act` is `publish` or `watch`, `exp` the second from which the token is
//! good for nothing. `nbf`, the second before which it is not good yet, may be there. Other claims
//! are ignored, except a claim that the token is meant for another audience (`aud`) or must be
//! understood (`crit`): such a token is refused.
//!
//! The surprise: the crate that takes tokens apart knows a dozen algorithms, and is given one. What
//! is signed in another way, or not at all, does not come as far as a comparison.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::secret::Secret;
use crate::stream_name::StreamName;

/// Bytes of a secret that tokens are signed with: no fewer than the signature has (RFC 7518, 3.2).
pub const SECRET_BYTES_LEAST: usize = 32;

/// Bytes of a token. Ours have some 150; other programs may add claims.
pub const TOKEN_BYTES_MAX: usize = 2048;

/// What a token lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// And with it all that may be done to a stream: watch it, send its poster, end it.
    Publish,
    Watch,
}

/// What a good token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub stream: StreamName,
    pub act: Act,
}

impl Grant {
    pub fn lets_publish(&self, stream: &StreamName) -> bool {
        self.act == Act::Publish && self.stream == *stream
    }

    pub fn lets_watch(&self, stream: &StreamName) -> bool {
        self.stream == *stream
    }
}

/// A secret that is easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be at least {SECRET_BYTES_LEAST} bytes, such as `openssl rand -hex 32` prints: a \
     reader of one token can guess a shorter secret"
)]
pub struct ShortSecret;

/// Signs tokens, and checks them.
#[derive(Clone)]
pub struct TokenKey {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

/// The payload. Numbers are seconds since 1970, perhaps with a fraction (RFC 7519, 2).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    act: Act,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    aud: Option<IgnoredAny>,
}

/// The same, as we write it: whole seconds look like what they are.
#[derive(Serialize)]
struct OurClaims<'a> {
    sub: &'a str,
    act: Act,
    exp: u64,
}

impl TokenKey {
    pub fn new(secret: &Secret) -> Result<Self, ShortSecret> {
        let secret = secret.expose().as_bytes();
        if secret.len() < SECRET_BYTES_LEAST {
            return Err(ShortSecret);
        }
        // It is the same for the whole process. Later calls find it installed.
        let _ = HS256_ALONE.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // The crate would read a clock of its own. Here the time is passed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims.clear();
        Ok(Self {
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
            validation,
        })
    }

    /// A token that is good before `exp`, in seconds since 1970.
    pub fn sign(&self, grant: &Grant, exp: u64) -> String {
        let claims = OurClaims {
            sub: grant.stream.as_str(),
            act: grant.act,
            exp,
        };
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &self.signing)
            .expect("strings and numbers have a JSON, and HS256 signs all bytes")
    }

    /// What this token grants at `now`, in seconds since 1970. The reason why it grants nothing
    /// stays here: it would help only a client that guesses.
    pub fn check(&self, token: &str, now: u64) -> Option<Grant> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let token = jsonwebtoken::decode::<Claims>(token, &self.checking, &self.validation).ok()?;
        let (header, claims) = (token.header, token.claims);
        // We are no audience that a token could name (RFC 7519, 4.1.3), and there is nothing beyond
        // the standard that we understand (RFC 7515, 4.1.11).
        if claims.aud.is_some() || header.crit.is_some() {
            return None;
        }
        let now = now as f64;
        // Not yet, or from then on no more (RFC 7519, 4.1.4 and 4.1.5). Clocks are taken to agree.
        if now >= claims.exp || claims.nbf.is_some_and(|nbf| now < nbf) {
            return None;
        }
        Some(Grant {
            stream: claims.sub.parse().ok()?,
            act: claims.act,
        })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// All the cryptography that the crate gets from us.
static HS256_ALONE: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(Hs256::new(key.as_bytes()))),
        _ => Err(unknown()),
    },
    verifier_factory: |algorithm, key| match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)))
        }
        _ => Err(unknown()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn unknown() -> Error {
    ErrorKind::InvalidAlgorithm.into()
}

/// HMAC with SHA-256 (RFC 7518, 3.2).
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes secrets of any length"))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mac = self.0.clone().chain_update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// Takes the same time for every wrong signature.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(signature)
            .map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const SECRET: &str = "a secret that is long enough for it";

    fn key() -> TokenKey {
        TokenKey::new(&Secret::new(SECRET)).unwrap()
    }

    fn grant(act: Act) -> Grant {
        let stream = "door".parse().unwrap();
        Grant { stream, act }
    }

    /// A token with a correct signature, for any header and claims.
    fn signed(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = Hs256::new(SECRET.as_bytes())
            .try_sign(message.as_bytes())
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn claims(claims: Value) -> Option<Grant> {
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        key().check(&signed(&header, &claims), NOW)
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        for act in [Act::Publish, Act::Watch] {
            let token = key().sign(&grant(act), NOW + 10);
            assert_eq!(key().check(&token, NOW), Some(grant(act)));
            assert_eq!(key().check(&token, NOW + 9), Some(grant(act)));
            assert_eq!(key().check(&token, NOW + 10), None);
            assert_eq!(key().check(&token, u64::MAX), None);
        }
    }

    #[test]
    fn publish_token_permits_watching_and_watch_token_no_publishing() {
        let (door, other) = ("door".parse().unwrap(), "Door".parse().unwrap());
        let [publish, watch] = [Act::Publish, Act::Watch].map(grant);
        assert!(publish.lets_publish(&door) && publish.lets_watch(&door));
        assert!(!watch.lets_publish(&door) && watch.lets_watch(&door));
        assert!(!publish.lets_publish(&other) && !publish.lets_watch(&other));
    }

    /// The example of RFC 7515, A.1, shows that we sign as the standard does.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let secret = URL_SAFE_NO_PAD
            .decode(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9\
                 CAow",
            )
            .unwrap();
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                       eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc\
                       19yb290Ijp0cnVlfQ";
        let signature = Hs256::new(&secret).try_sign(message.as_bytes()).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn tokens_of_other_libraries_are_accepted() {
        let good = Some(grant(Act::Watch));
        let exp = NOW + 60;
        assert_eq!(
            claims(json!({ "sub": "door", "act": "watch", "exp": exp })),
            good
        );
        // Times as JavaScript's clock gives them, and claims that other libraries add.
        let whole = json!({ "sub": "door", "act": "watch", "exp": exp as f64 + 0.25, "nbf": NOW,
            "iat": NOW - 5, "iss": "shop", "jti": "x", "name": "Ann" });
        assert_eq!(claims(whole), good);
    }

    #[test]
    fn claims_that_are_wrong_or_missing_grant_nothing() {
        let exp = NOW + 60;
        for wrong in [
            json!({ "sub": "door", "act": "watch" }),
            json!({ "sub": "door", "act": "watch", "exp": null }),
            json!({ "sub": "door", "act": "watch", "exp": exp.to_string() }),
            json!({ "sub": "door", "act": "watch", "exp": NOW }),
            json!({ "sub": "door", "act": "watch", "exp": -1 }),
            json!({ "sub": "door", "act": "watch", "exp": exp, "nbf": NOW + 1 }),
            json!({ "sub": "door", "act": "watch", "exp": exp, "nbf": "soon" }),
            json!({ "sub": "door", "act": "watch", "exp": exp, "aud": "another service" }),
            json!({ "sub": "door", "act": "Watch", "exp": exp }),
            json!({ "sub": "door", "act": ["watch"], "exp": exp }),
            json!({ "sub": "door", "exp": exp }),
            json!({ "act": "watch", "exp": exp }),
            json!({ "sub": "", "act": "watch", "exp": exp }),
            json!({ "sub": "*", "act": "watch", "exp": exp }),
            json!({ "sub": "../door", "act": "watch", "exp": exp }),
            json!({ "sub": 5, "act": "watch", "exp": exp }),
            json!([]),
            json!(null),
            json!("watch"),
        ] {
            assert_eq!(claims(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn other_algorithms_and_headers_grant_nothing() {
        let claims = json!({ "sub": "door", "act": "watch", "exp": NOW + 60 });
        for algorithm in [
            "none", "None", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "",
        ] {
            let header = json!({ "alg": algorithm });
            assert_eq!(
                key().check(&signed(&header, &claims), NOW),
                None,
                "{algorithm}"
            );
        }
        for header in [
            json!({}),
            json!({ "alg": null }),
            json!({ "alg": ["HS256"] }),
            json!([]),
            json!({ "alg": "HS256", "crit": ["b64"], "b64": false }),
        ] {
            assert_eq!(
                key().check(&signed(&header, &claims), NOW),
                None,
                "{header}"
            );
        }
        // A token may name the key to check it with. We ignore that.
        let header = json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AAAA" } });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = Hs256::new(&[0, 0, 0]).try_sign(message.as_bytes()).unwrap();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(key().check(&token, NOW), None);
    }

    #[test]
    fn one_changed_letter_anywhere_grants_nothing() {
        let token = key().sign(&grant(Act::Publish), NOW + 60);
        assert!(key().check(&token, NOW).is_some());
        for at in 0..token.len() {
            for letter in ["A", "z", ".", "=", ""] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, letter);
                // The last letter has bits that say nothing; decoders refuse them if they are set.
                let is_good = key().check(&changed, NOW).is_some();
                assert_eq!(is_good, changed == token, "{at} {letter:?}");
            }
        }
        let foreign = TokenKey::new(&Secret::new(SECRET.replace('a', "b"))).unwrap();
        assert_eq!(foreign.check(&token, NOW), None);
        let unsigned = &token[..=token.rfind('.').unwrap()];
        assert_eq!(key().check(unsigned, NOW), None);
        assert_eq!(key().check(&format!("{token}.{token}"), NOW), None);
        for nonsense in ["", ".", "..", "...", "a.b.c", "é.é.é"] {
            assert_eq!(key().check(nonsense, NOW), None, "{nonsense}");
        }
    }

    #[test]
    fn overlong_token_is_refused() {
        let claim = |length| {
            json!({ "sub": "door", "act": "watch", "exp": NOW + 60,
                "more": "x".repeat(length) })
        };
        assert!(claims(claim(1000)).is_some());
        assert_eq!(claims(claim(2000)), None);
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_shown() {
        let refused = TokenKey::new(&Secret::new("x".repeat(31))).err();
        assert_eq!(refused, Some(ShortSecret));
        assert!(TokenKey::new(&Secret::new("x".repeat(32))).is_ok());
        assert!(!format!("{:?}", key()).contains("secret"));
    }
}
