//! Completion tokens: HMAC-SHA-256 over (run, task, attempt) with a key id, so that keys can rotate.
//!
//! A callback token is the same over another purpose, and names its attempt: it is all that its holder has.
//!
//! Text form `<key id>.<64 hex digits>`, of a callback token with 48 hex digits before it. A token proves that its holder was given this attempt. Verification compares in
//! constant time and never tells which part was wrong.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

type HmacSha256 = Hmac<Sha256>;

/// Shortest accepted secret; shorter than the hash would be the weakest part of the token.
const SECRET_BYTES_MIN: usize = 32;

/// Longest accepted key id.
const KEY_ID_BYTES_MAX: usize = 16;

/// Separates these tokens from anything else that might be signed with the same key.
const PURPOSE: &[u8] = b"runnel completion token v1\0";

/// Separates callback tokens from the completion tokens of the same attempts.
const CALLBACK_PURPOSE: &[u8] = b"runnel callback token v1\0";

/// Digits of the attempt in a callback token: 16 bytes of the run, 4 of the task, 4 of the attempt.
const CALLBACK_ATTEMPT_BYTES: usize = 24;

/// One named key of at least 32 bytes.
#[derive(Clone)]
pub struct TokenKey {
    /// Short name, `[a-z0-9]{1,16}`.
    pub id: String,
    /// The secret.
    pub secret: Vec<u8>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The signing key first, then keys that are still accepted.
#[derive(Debug, Clone)]
pub struct TokenKeys {
    signing: SigningKey,
    retired: Vec<SigningKey>,
}

/// A key with its HMAC state prepared, so that a token costs no key schedule.
#[derive(Clone)]
struct SigningKey {
    id: String,
    state: HmacSha256,
    callback_state: HmacSha256,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    fn prepare(key: &TokenKey) -> Option<Self> {
        let id_is_valid = (1..=KEY_ID_BYTES_MAX).contains(&key.id.len())
            && key
                .id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !id_is_valid || key.secret.len() < SECRET_BYTES_MIN {
            return None;
        }
        let keyed = HmacSha256::new_from_slice(&key.secret).ok()?;
        let with_purpose = |purpose: &[u8]| {
            let mut state = keyed.clone();
            state.update(purpose);
            state
        };
        Some(Self {
            id: key.id.clone(),
            state: with_purpose(PURPOSE),
            callback_state: with_purpose(CALLBACK_PURPOSE),
        })
    }

    fn mac(&self, run: Uuid, task: u32, attempt: u32) -> HmacSha256 {
        Self::over(&self.state, run, task, attempt)
    }

    fn over(state: &HmacSha256, run: Uuid, task: u32, attempt: u32) -> HmacSha256 {
        let mut mac = state.clone();
        // every field has a fixed length, so no two attempts share an input
        mac.update(run.as_bytes());
        mac.update(&task.to_be_bytes());
        mac.update(&attempt.to_be_bytes());
        mac
    }
}

impl TokenKeys {
    /// Takes the signing key first. `None` when the list is empty, a key is shorter than 32 bytes or an id is not
    /// `[a-z0-9]{1,16}`.
    #[must_use]
    pub fn new(keys: Vec<TokenKey>) -> Option<Self> {
        let mut prepared = keys
            .iter()
            .map(SigningKey::prepare)
            .collect::<Option<Vec<_>>>()?
            .into_iter();
        Some(Self {
            signing: prepared.next()?,
            retired: prepared.collect(),
        })
    }

    /// The token of one attempt.
    #[must_use]
    pub fn sign(&self, run: Uuid, task: u32, attempt: u32) -> String {
        let digest = self.signing.mac(run, task, attempt).finalize().into_bytes();
        format!("{}.{}", self.signing.id, hex::encode(digest))
    }

    /// Name of the key that signs, for who keeps what is derived from it.
    #[must_use]
    pub fn signing_id(&self) -> &str {
        &self.signing.id
    }

    /// A secret of its own for another purpose, the same for the same key and message. `None` when no key has this id. The
    /// message must begin with what it is for, and be longer than that of a completion token.
    #[must_use]
    pub fn derive(&self, key_id: &str, message: &[u8]) -> Option<[u8; 32]> {
        let key = std::iter::once(&self.signing)
            .chain(&self.retired)
            .find(|key| key.id == key_id)?;
        let mut mac = key.state.clone();
        mac.update(b"derived\0");
        mac.update(&(message.len() as u64).to_be_bytes());
        mac.update(message);
        Some(mac.finalize().into_bytes().into())
    }

    /// Whether the token belongs to the attempt. Constant time in the token.
    #[must_use]
    pub fn verify(&self, run: Uuid, task: u32, attempt: u32, token: &str) -> bool {
        let Some((key_id, digits)) = token.split_once('.') else {
            return false;
        };
        let Some(digest) = lower_hex::<32>(digits) else {
            return false;
        };
        self.named(key_id)
            .any(|key| key.mac(run, task, attempt).verify_slice(&digest).is_ok())
    }

    /// The callback token of one attempt: who holds it may end the attempt.
    #[must_use]
    pub fn sign_callback(&self, run: Uuid, task: u32, attempt: u32) -> String {
        let mac = SigningKey::over(&self.signing.callback_state, run, task, attempt);
        let mut place = run.as_bytes().to_vec();
        place.extend(task.to_be_bytes());
        place.extend(attempt.to_be_bytes());
        format!(
            "{}.{}.{}",
            hex::encode(place),
            self.signing.id,
            hex::encode(mac.finalize().into_bytes())
        )
    }

    /// Run, task and attempt of a callback token; `None` for anything that these keys did not sign. Constant time in the token.
    #[must_use]
    pub fn verify_callback(&self, token: &str) -> Option<(Uuid, u32, u32)> {
        let (place, rest) = token.split_once('.')?;
        let (key_id, digits) = rest.split_once('.')?;
        let place = lower_hex::<CALLBACK_ATTEMPT_BYTES>(place)?;
        let digest = lower_hex::<32>(digits)?;
        let (run, rest) = place.split_first_chunk::<16>()?;
        let (task, rest) = rest.split_first_chunk::<4>()?;
        let attempt = rest.first_chunk::<4>()?;
        let run = Uuid::from_bytes(*run);
        let (task, attempt) = (u32::from_be_bytes(*task), u32::from_be_bytes(*attempt));
        self.named(key_id)
            .any(|key| {
                SigningKey::over(&key.callback_state, run, task, attempt)
                    .verify_slice(&digest)
                    .is_ok()
            })
            .then_some((run, task, attempt))
    }

    fn named<'a>(&'a self, key_id: &'a str) -> impl Iterator<Item = &'a SigningKey> {
        std::iter::once(&self.signing)
            .chain(&self.retired)
            .filter(move |key| key.id == key_id)
    }
}

/// Reads exactly `N` bytes. Upper case would be a second spelling of the same token.
fn lower_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0_u8; N];
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    fn key(id: &str, fill: u8) -> TokenKey {
        TokenKey {
            id: id.to_owned(),
            secret: vec![fill; 32],
        }
    }

    fn keys(list: Vec<TokenKey>) -> TokenKeys {
        TokenKeys::new(list).expect("the keys are valid")
    }

    #[test]
    fn a_token_opens_its_own_attempt_only() {
        let keys = keys(vec![key("k1", 1)]);
        let token = keys.sign(RUN, 7, 2);
        assert!(keys.verify(RUN, 7, 2, &token));
        assert!(!keys.verify(RUN, 7, 3, &token));
        assert!(!keys.verify(RUN, 2, 7, &token));
        assert!(!keys.verify(Uuid::nil(), 7, 2, &token));
    }

    #[test]
    fn a_change_of_any_byte_is_refused() {
        let keys = keys(vec![key("k1", 1), key("k2", 2)]);
        let token = keys.sign(RUN, 7, 2);
        for position in 0..token.len() {
            for replacement in (0x20_u8..0x7f).filter(|b| *b != token.as_bytes()[position]) {
                let mut bytes = token.clone().into_bytes();
                bytes[position] = replacement;
                let forged = String::from_utf8(bytes).expect("ASCII");
                assert!(!keys.verify(RUN, 7, 2, &forged), "accepted {forged}");
            }
        }
    }

    #[test]
    fn shortened_lengthened_and_foreign_texts_are_refused() {
        let keys = keys(vec![key("k1", 1)]);
        let token = keys.sign(RUN, 0, 1);
        for cut in 0..token.len() {
            assert!(!keys.verify(RUN, 0, 1, &token[..cut]));
        }
        for text in [
            "",
            ".",
            "k1",
            "k1.",
            "k1.zz",
            "ключ.00",
            &format!("{token}00"),
            &format!("{token}."),
        ] {
            assert!(!keys.verify(RUN, 0, 1, text), "accepted {text:?}");
        }
    }

    #[test]
    fn a_callback_token_names_its_attempt_and_is_no_completion_token() {
        let keys = keys(vec![key("k1", 1), key("k0", 2)]);
        let token = keys.sign_callback(RUN, 7, 2);
        assert_eq!(keys.verify_callback(&token), Some((RUN, 7, 2)));
        assert!(!keys.verify(RUN, 7, 2, &token));
        let completion = keys.sign(RUN, 7, 2);
        assert!(!token.ends_with(&completion), "one would give away the other");
        let place = token.split('.').next().unwrap_or_default();
        assert_eq!(keys.verify_callback(&format!("{place}.{completion}")), None);
        assert_eq!(
            keys.verify_callback(&keys.sign_callback(RUN, 7, 3)),
            Some((RUN, 7, 3))
        );
    }

    #[test]
    fn a_change_of_any_byte_of_a_callback_token_is_refused() {
        let keys = keys(vec![key("k1", 1)]);
        let token = keys.sign_callback(RUN, 7, 2);
        for position in 0..token.len() {
            for replacement in (0x20_u8..0x7f).filter(|b| *b != token.as_bytes()[position]) {
                let mut bytes = token.clone().into_bytes();
                bytes[position] = replacement;
                let forged = String::from_utf8(bytes).expect("ASCII");
                assert_eq!(keys.verify_callback(&forged), None, "accepted {forged}");
            }
            assert_eq!(keys.verify_callback(&token[..position]), None);
        }
    }

    #[test]
    fn an_old_key_verifies_until_it_is_removed() {
        let old = keys(vec![key("k1", 1)]);
        let token = old.sign(RUN, 0, 1);
        let rotated = keys(vec![key("k2", 2), key("k1", 1)]);
        assert!(rotated.verify(RUN, 0, 1, &token));
        assert!(rotated.sign(RUN, 0, 1).starts_with("k2."));
        assert!(!keys(vec![key("k2", 2)]).verify(RUN, 0, 1, &token));
    }

    #[test]
    fn a_key_id_does_not_stand_for_another_secret() {
        let token = keys(vec![key("k1", 1)]).sign(RUN, 0, 1);
        assert!(!keys(vec![key("k1", 9)]).verify(RUN, 0, 1, &token));
    }

    #[test]
    fn weak_or_unnamed_keys_are_refused() {
        assert!(TokenKeys::new(vec![]).is_none());
        assert!(
            TokenKeys::new(vec![TokenKey {
                id: "k".into(),
                secret: vec![1; 31]
            }])
            .is_none()
        );
        for id in ["", "K1", "k.1", "a-very-long-key-id"] {
            assert!(TokenKeys::new(vec![key(id, 1)]).is_none(), "accepted {id:?}");
        }
    }

    #[test]
    fn debug_never_shows_a_secret() {
        let shown = format!("{:?} {:?}", key("k1", 0xAB), keys(vec![key("k1", 0xAB)]));
        assert!(
            !shown.contains("171") && !shown.to_lowercase().contains("abab"),
            "{shown}"
        );
    }
}
