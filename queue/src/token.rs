//! Completion tokens: HMAC-SHA-256 over (run, task, attempt) with a key id, so that keys can rotate.
//!
//! Text form `<key id>.<64 hex digits>`. A token proves that its holder was given this attempt. Verification compares in
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
        let mut state = HmacSha256::new_from_slice(&key.secret).ok()?;
        state.update(PURPOSE);
        Some(Self {
            id: key.id.clone(),
            state,
        })
    }

    fn mac(&self, run: Uuid, task: u32, attempt: u32) -> HmacSha256 {
        let mut mac = self.state.clone();
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
        // upper case would be a second spelling of the same token
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return false;
        }
        let mut digest = [0_u8; 32];
        if hex::decode_to_slice(digits, &mut digest).is_err() {
            return false;
        }
        std::iter::once(&self.signing)
            .chain(&self.retired)
            .filter(|key| key.id == key_id)
            .any(|key| key.mac(run, task, attempt).verify_slice(&digest).is_ok())
    }
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
