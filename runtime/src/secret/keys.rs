//! Keys that secrets are sealed with: AES-256-GCM, a key id beside each sealed value, so that keys can rotate.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a key.
pub const SECRET_KEY_BYTES: usize = 32;

/// Longest id of a key.
const KEY_ID_BYTES_MAX: usize = 16;

/// Separates sealed secrets from anything else that might be sealed with the same key.
const PURPOSE: &[u8] = b"runnel stored secret v1\0";

/// The key for new secrets first, then keys that only open.
#[derive(Clone)]
pub struct SecretKeys {
    keys: Arc<[Key]>,
}

struct Key {
    id: String,
    aead: RandomizedNonceKey,
}

/// A sealed value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub key_id: String,
    pub text: String,
}

/// Why a sealed value does not open. Never says more: whoever can change rows must learn nothing from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsealError {
    #[error("it is sealed with key `{0}`, which this process does not have")]
    UnknownKey(String),
    #[error("it does not open with its key")]
    Damaged,
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|key| &key.id))
            .finish()
    }
}

impl SecretKeys {
    /// From named keys of 32 bytes each; ids are `[a-z0-9]{1,16}` and differ. `None` when one is not so, or there is none.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (String, Vec<u8>)>) -> Option<Self> {
        let mut found: Vec<Key> = Vec::new();
        for (id, bytes) in keys {
            let is_id = (1..=KEY_ID_BYTES_MAX).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            if !is_id || bytes.len() != SECRET_KEY_BYTES || found.iter().any(|key| key.id == id) {
                return None;
            }
            let aead = RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()?;
            found.push(Key { id, aead });
        }
        (!found.is_empty()).then(|| Self { keys: found.into() })
    }

    /// Seals a value for its place: it opens nowhere else. `None` when the system gives no randomness.
    pub(crate) fn seal(&self, namespace: &str, name: &str, value: &str) -> Option<Sealed> {
        let key = self.keys.first()?;
        let mut sealed = value.as_bytes().to_vec();
        let nonce = key
            .aead
            .seal_in_place_append_tag(Aad::from(place(namespace, name)), &mut sealed)
            .ok()?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut sealed);
        Some(Sealed {
            key_id: key.id.clone(),
            text: STANDARD.encode(bytes),
        })
    }

    /// Opens a value of this place.
    pub(crate) fn open(&self, namespace: &str, name: &str, sealed: &Sealed) -> Result<String, UnsealError> {
        let key = self
            .keys
            .iter()
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| UnsealError::UnknownKey(sealed.key_id.clone()))?;
        let mut bytes = STANDARD.decode(&sealed.text).map_err(|_| UnsealError::Damaged)?;
        let (nonce, rest) = bytes
            .split_at_mut_checked(NONCE_LEN)
            .ok_or(UnsealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnsealError::Damaged)?;
        let value = key
            .aead
            .open_in_place(nonce, Aad::from(place(namespace, name)), rest)
            .map_err(|_| UnsealError::Damaged)?;
        String::from_utf8(value.to_vec()).map_err(|_| UnsealError::Damaged)
    }
}

/// What a sealed value is bound to. Lengths keep the parts apart.
fn place(namespace: &str, name: &str) -> Vec<u8> {
    let mut place = PURPOSE.to_vec();
    for part in [namespace, name] {
        place.extend((part.len() as u64).to_be_bytes());
        place.extend(part.as_bytes());
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[&str]) -> SecretKeys {
        let key = |id: &&str| (String::from(*id), vec![id.as_bytes()[0]; SECRET_KEY_BYTES]);
        SecretKeys::new(ids.iter().map(key)).expect("good keys")
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_only() {
        let keys = keys(&["a"]);
        let sealed = keys.seal("default", "TOKEN", "hunter22").expect("sealed");
        assert!(!sealed.text.contains("hunter22"));
        assert_eq!(keys.open("default", "TOKEN", &sealed).as_deref(), Ok("hunter22"));
        for (namespace, name) in [("default", "OTHER"), ("other", "TOKEN"), ("defaultT", "OKEN")] {
            assert_eq!(keys.open(namespace, name, &sealed), Err(UnsealError::Damaged));
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_to_the_same_text() {
        let keys = keys(&["a"]);
        assert_ne!(keys.seal("n", "T", "hunter22"), keys.seal("n", "T", "hunter22"));
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let keys = keys(&["a"]);
        let sealed = keys.seal("n", "T", "hunter22").expect("sealed");
        for text in [
            "",
            "AAAA",
            "!",
            &sealed.text.replace(|c: char| c.is_ascii_lowercase(), "A"),
        ] {
            let changed = Sealed {
                text: text.to_owned(),
                ..sealed.clone()
            };
            assert_eq!(keys.open("n", "T", &changed), Err(UnsealError::Damaged), "{text}");
        }
    }

    #[test]
    fn rotation_seals_with_the_first_key_and_opens_with_all() {
        let old = keys(&["old"]).seal("n", "T", "hunter22").expect("sealed");
        let both = keys(&["new", "old"]);
        assert_eq!(both.open("n", "T", &old).as_deref(), Ok("hunter22"));
        assert_eq!(both.seal("n", "T", "hunter22").expect("sealed").key_id, "new");
        let unknown = UnsealError::UnknownKey("old".to_owned());
        assert_eq!(keys(&["new"]).open("n", "T", &old), Err(unknown));
    }

    #[test]
    fn bad_keys_are_refused_and_debug_shows_ids_only() {
        let key = |id: &str, bytes: usize| (id.to_owned(), vec![7; bytes]);
        for bad in [
            vec![],
            vec![key("a", 31)],
            vec![key("A", 32)],
            vec![key("", 32)],
            vec![key("a", 32), key("a", 32)],
        ] {
            assert!(SecretKeys::new(bad).is_none());
        }
        assert_eq!(format!("{:?}", keys(&["a", "b"])), r#"["a", "b"]"#);
    }
}
