//! Keys of completion tokens and of stored secrets: given (`id:hex,id:hex`, the one in use first), or generated once and kept.

use std::io::Write;
use std::path::{Path, PathBuf};

use runnel_queue::{TokenKey, TokenKeys};
use runnel_runtime::SecretKeys;

use crate::exit::{Exit, Failure};
use crate::host::data_dir::create_private;

const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "token-keys";
const SECRET_KEY_FILE: &str = "secret-keys";

/// Which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// They sign completion tokens.
    Token,
    /// They seal stored secrets.
    Secret,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token keys",
            Self::Secret => "keys of stored secrets",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Token => KEY_FILE,
            Self::Secret => SECRET_KEY_FILE,
        }
    }
}

/// Reads token keys as `id:hex[,id:hex]`.
pub fn parse(text: &str) -> Result<TokenKeys, Failure> {
    let keys = split(text).map(|keys| {
        let key = |(id, secret)| TokenKey { id, secret };
        keys.into_iter().map(key).collect()
    });
    // The text holds secrets: the message must not repeat it.
    keys.and_then(TokenKeys::new).ok_or_else(|| {
        Failure::usage("the token keys are not valid")
            .hint("write `id:hex[,id:hex]`: ids of a-z and 0-9, at least 64 hex digits each (`openssl rand -hex 32`)")
    })
}

/// Reads keys of stored secrets as `id:hex[,id:hex]`, the one for new secrets first.
pub fn parse_secret(text: &str) -> Result<SecretKeys, Failure> {
    split(text).and_then(SecretKeys::new).ok_or_else(|| {
        Failure::usage("the keys of stored secrets are not valid").hint(
            "write `id:hex[,id:hex]`: different ids of a-z and 0-9, 64 hex digits each (`openssl rand -hex 32`)",
        )
    })
}

fn split(text: &str) -> Option<Vec<(String, Vec<u8>)>> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (id, digits) = part.split_once(':')?;
            let is_id = (1..=16).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            let secret = hex::decode(digits.trim()).ok()?;
            is_id.then(|| (id.to_owned(), secret))
        })
        .collect()
}

/// The token keys in the file.
pub fn read(path: &Path) -> Result<TokenKeys, Failure> {
    parse(&lines(path, Kind::Token)?)
}

/// The keys of stored secrets in the file.
pub fn read_secret(path: &Path) -> Result<SecretKeys, Failure> {
    parse_secret(&lines(path, Kind::Secret)?)
}

fn lines(path: &Path, kind: Kind) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read the {} in {}: {error}",
            kind.name(),
            path.display()
        ))
    })?;
    Ok(text.replace('\n', ","))
}

/// The token keys kept in the directory; made at the first call.
pub fn kept(dir: &Path) -> Result<TokenKeys, Failure> {
    read(&made(dir, Kind::Token)?)
}

/// The keys of stored secrets kept in the directory; made at the first call. Whoever loses them loses the secrets.
pub fn kept_secret(dir: &Path) -> Result<SecretKeys, Failure> {
    read_secret(&made(dir, Kind::Secret)?)
}

fn made(dir: &Path, kind: Kind) -> Result<PathBuf, Failure> {
    let path = dir.join(kind.file());
    if !path.exists() {
        create_private(dir)?;
        make(&path)?;
    }
    Ok(path)
}

fn make(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut secret = [0; KEY_BYTES];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut secret)
        .map_err(|_| Failure::new(Exit::Failed, "the system gives no randomness for a token key"))?;
    std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            writeln!(file, "local:{}", hex::encode(secret))?;
            file.sync_all()
        })
        .map_err(|error| Failure::internal("cannot keep a token key in the data directory", error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_need_an_id_and_enough_bytes() {
        let good = "ab".repeat(KEY_BYTES);
        assert!(parse(&format!("a:{good}")).is_ok());
        assert!(parse(&format!("new:{good}, old:{good}")).is_ok());
        for bad in [
            "",
            "a",
            "a:zz",
            &format!("A:{good}"),
            &format!(":{good}"),
            "a:abcd",
            &good,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_of_secrets_have_exactly_their_bytes_and_are_kept_apart() {
        let good = "ab".repeat(KEY_BYTES);
        assert!(parse_secret(&format!("new:{good}, old:{good}")).is_ok());
        for bad in ["", &good, &format!("a:{good}ab"), &format!("a:{good},a:{good}")] {
            assert!(parse_secret(bad).is_err(), "{bad}");
        }
        let dir = tempfile::tempdir().unwrap();
        kept(dir.path()).unwrap();
        kept_secret(dir.path()).unwrap();
        let file = |name| std::fs::read(dir.path().join(name)).unwrap();
        assert_ne!(file(KEY_FILE), file(SECRET_KEY_FILE));
    }

    #[test]
    fn a_refusal_does_not_repeat_the_secret() {
        let secret = "deadbeef";
        let failure = parse(&format!("a:{secret}")).err().unwrap();
        assert!(!format!("{:#}{:?}", failure.error, failure.hint).contains(secret));
    }

    #[test]
    fn a_generated_key_is_private_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        kept(dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let first = std::fs::read(&path).unwrap();
        kept(dir.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
}
