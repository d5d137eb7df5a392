//! Completion tokens: HMAC-SHA-256 over (run, task, attempt) with a key id, so that keys can rotate.
//!
//! Text form `<key id>.<64 hex digits>`. A token proves that its holder was given this attempt.

use uuid::Uuid;

/// One named key of at least 32 bytes.
#[derive(Clone)]
pub struct TokenKey {
    /// Short name, `[a-z0-9]{1,16}`.
    pub id: String,
    /// The secret.
    pub secret: Vec<u8>,
}

/// The signing key first, then keys that are still accepted.
#[derive(Clone)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
}

impl TokenKeys {
    /// Takes the signing key first. `None` when the list is empty or a key is shorter than 32 bytes.
    #[must_use]
    pub fn new(keys: Vec<TokenKey>) -> Option<Self> {
        (!keys.is_empty() && keys.iter().all(|k| k.secret.len() >= 32)).then_some(Self { keys })
    }

    /// The token of one attempt.
    #[must_use]
    pub fn sign(&self, run: Uuid, task: u32, attempt: u32) -> String {
        let _ = (&self.keys, run, task, attempt);
        unimplemented!()
    }

    /// Whether the token belongs to the attempt. Constant time in the token.
    #[must_use]
    pub fn verify(&self, run: Uuid, task: u32, attempt: u32, token: &str) -> bool {
        let _ = (&self.keys, run, task, attempt, token);
        unimplemented!()
    }
}
