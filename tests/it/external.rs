//! Suites that somebody else wrote, against a real server: they know nothing of this repository's opinions.
