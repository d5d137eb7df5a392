//! Secrets of webhooks, in the form of Standard Webhooks.
//!
//! A secret is derived from a key of this installation, the webhook and a generation number; only key name and
//! generation are stored, so that who reads the database can sign nothing. Rotating is counting up.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runnel_engine::Timestamp;
use runnel_queue::TokenKeys;
use uuid::Uuid;

use super::view::WebhookSecret;

/// A signature is refused when its time is further from ours than this, in seconds.
pub(crate) const REPLAY_WINDOW_S: i64 = 300;

/// Signatures of one delivery that are compared; a sender that rotates sends two.
const SIGNATURES_MAX: usize = 8;

const PURPOSE: &[u8] = b"runnel webhook secret v1\0";

/// Which secret of which webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretRef<'a> {
    pub webhook: Uuid,
    pub key: &'a str,
    pub generation: i32,
}

/// The secret as its holder sees it; `None` when its key is not configured any more.
pub(crate) fn reveal(keys: &TokenKeys, secret: SecretRef<'_>) -> Option<WebhookSecret> {
    Some(WebhookSecret(format!(
        "whsec_{}",
        STANDARD.encode(bytes(keys, secret)?)
    )))
}

fn bytes(keys: &TokenKeys, secret: SecretRef<'_>) -> Option<[u8; 32]> {
    let mut message = PURPOSE.to_vec();
    message.extend_from_slice(secret.webhook.as_bytes());
    message.extend_from_slice(&secret.generation.to_be_bytes());
    keys.derive(secret.key, &message)
}

/// What a sender says about its delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signatures: &'a str,
    pub body: &'a [u8],
}

/// Whether one of the signatures was made with the secret, now. Constant time in the signatures.
pub(crate) fn verify(keys: &TokenKeys, secret: SecretRef<'_>, signed: &Signed<'_>, now: Timestamp) -> bool {
    let Some(bytes) = bytes(keys, secret) else {
        return false;
    };
    let Ok(at) = signed.timestamp.parse::<i64>() else {
        return false;
    };
    if at.saturating_sub(now.0.div_euclid(1_000_000)).unsigned_abs() > REPLAY_WINDOW_S.unsigned_abs() {
        return false;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let mut message = format!("{}.{}.", signed.id, signed.timestamp).into_bytes();
    message.extend_from_slice(signed.body);
    let mut is_valid = false;
    for signature in signed.signatures.split(' ').take(SIGNATURES_MAX) {
        let decoded = signature
            .strip_prefix("v1,")
            .and_then(|text| STANDARD.decode(text).ok());
        // each is compared, so that the time does not tell which one came close
        is_valid |= decoded.is_some_and(|decoded| hmac::verify(&key, &message, &decoded).is_ok());
    }
    is_valid
}

#[cfg(test)]
mod tests {
    use runnel_queue::TokenKey;

    use super::*;

    const HOOK: Uuid = Uuid::from_u128(9);
    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn keys() -> TokenKeys {
        let key = TokenKey {
            id: "k1".to_owned(),
            secret: vec![3; 32],
        };
        TokenKeys::new(vec![key]).unwrap()
    }

    fn secret(generation: i32) -> SecretRef<'static> {
        SecretRef {
            webhook: HOOK,
            key: "k1",
            generation,
        }
    }

    /// As any library of Standard Webhooks signs.
    fn sign(secret: &WebhookSecret, id: &str, timestamp: i64, body: &[u8]) -> String {
        let bytes = STANDARD.decode(secret.0.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let mut message = format!("{id}.{timestamp}.").into_bytes();
        message.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, &message)))
    }

    fn is_accepted(signatures: &str, id: &str, timestamp: i64, body: &[u8]) -> bool {
        let timestamp = timestamp.to_string();
        let signed = Signed {
            id,
            timestamp: &timestamp,
            signatures,
            body,
        };
        verify(&keys(), secret(1), &signed, NOW)
    }

    #[test]
    fn a_signature_is_accepted_for_its_own_delivery_only() {
        let revealed = reveal(&keys(), secret(1)).unwrap();
        let now = NOW.0 / 1_000_000;
        let good = sign(&revealed, "d1", now, b"{}");
        assert!(is_accepted(&good, "d1", now, b"{}"));
        assert!(
            is_accepted(&format!("v1,AAAA {good}"), "d1", now, b"{}"),
            "one of several"
        );
        assert!(!is_accepted(&good, "d2", now, b"{}"), "another delivery");
        assert!(!is_accepted(&good, "d1", now + 1, b"{}"), "another time");
        assert!(!is_accepted(&good, "d1", now, b"{ }"), "another body");
        assert!(!is_accepted(&good.replace("v1,", "v2,"), "d1", now, b"{}"));
        assert!(!is_accepted("", "d1", now, b"{}"));
        let other = reveal(&keys(), secret(2)).unwrap();
        assert!(
            !is_accepted(&sign(&other, "d1", now, b"{}"), "d1", now, b"{}"),
            "another secret"
        );
    }

    #[test]
    fn a_signature_is_refused_outside_of_the_replay_window() {
        let revealed = reveal(&keys(), secret(1)).unwrap();
        let now = NOW.0 / 1_000_000;
        for (age, expected) in [
            (0, true),
            (299, true),
            (300, true),
            (301, false),
            (-300, true),
            (-301, false),
        ] {
            let at = now - age;
            assert_eq!(
                is_accepted(&sign(&revealed, "d", at, b"x"), "d", at, b"x"),
                expected,
                "{age}"
            );
        }
    }

    #[test]
    fn a_secret_is_the_same_for_the_same_generation_and_gone_with_its_key() {
        assert_eq!(
            reveal(&keys(), secret(1)).unwrap().0,
            reveal(&keys(), secret(1)).unwrap().0
        );
        assert_ne!(
            reveal(&keys(), secret(1)).unwrap().0,
            reveal(&keys(), secret(2)).unwrap().0
        );
        let foreign = SecretRef {
            key: "k2",
            ..secret(1)
        };
        assert!(reveal(&keys(), foreign).is_none());
    }
}
