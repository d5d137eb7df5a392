//! The directory that holds what a single-machine Runnel keeps: the database and the key of completion tokens.
//!
//! Guarantees: one process at a time uses it. Two orchestrators with embedded queues over one database would each take
//! the other's dispatched tasks for lost ones and run them twice.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

/// A locked directory; the lock ends with the value, also when the process is killed.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

impl DataDir {
    /// Creates the directory where needed and locks it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        create_private(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| Failure::internal("cannot open the lock of the data directory", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
                _temporary: None,
            }),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Exit::Conflict,
                format!("another runnel uses the data directory {}", path.display()),
            )
            .hint("stop it, name its address with --server, or choose another --data-dir")),
            Err(TryLockError::Error(error)) => {
                Err(Failure::internal("cannot lock the data directory", error))
            }
        }
    }

    /// A directory that vanishes with the value.
    pub fn temporary() -> Result<Self, Failure> {
        let temporary = tempfile::Builder::new()
            .prefix("runnel-")
            .tempdir()
            .map_err(|error| Failure::internal("cannot create a temporary directory", error))?;
        let mut opened = Self::open(temporary.path())?;
        opened._temporary = Some(temporary);
        Ok(opened)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it vanishes at the end.
    pub fn is_temporary(&self) -> bool {
        self._temporary.is_some()
    }

    /// The database in it.
    pub fn database_file(&self) -> PathBuf {
        self.path.join("runnel.db")
    }

    /// The URL of the database in it.
    pub fn database_url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.database_file().display())
    }
}

/// Inputs and outputs of runs may be confidential: only the owner reads the directory.
pub fn create_private(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| {
            Failure::usage(format!(
                "cannot create the data directory {}: {error}",
                path.display()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused_and_free_again_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDir::open(&path).unwrap();
        assert_eq!(DataDir::open(&path).unwrap_err().exit, Exit::Conflict);
        drop(first);
        assert!(DataDir::open(&path).is_ok());
    }

    #[test]
    fn a_temporary_directory_vanishes() {
        let dir = DataDir::temporary().unwrap();
        let path = dir.path().to_owned();
        assert!(path.is_dir());
        drop(dir);
        assert!(!path.exists());
    }
}
