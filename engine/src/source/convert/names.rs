//! Names of other dialects made legal: the same name always gives the same key, two names never share one.

use std::collections::{HashMap, HashSet};

const CHARS_MAX: usize = 128;

/// The keys of a file's tasks.
pub(crate) struct Names {
    keys: HashMap<String, String>,
    used: HashSet<String>,
    /// The next suffix to try per key, so that many clashes stay linear.
    suffixes: HashMap<String, usize>,
}

impl Names {
    /// Names that are legal already keep themselves, whatever comes before them in the file.
    pub(crate) fn new<'n>(originals: impl Iterator<Item = &'n str> + Clone) -> Self {
        let mut names = Self {
            keys: HashMap::new(),
            used: HashSet::new(),
            suffixes: HashMap::new(),
        };
        for original in originals.clone().filter(|name| legal_key(name) == **name) {
            names.keys.insert(original.to_owned(), original.to_owned());
            names.used.insert(original.to_owned());
        }
        for original in originals {
            if !names.keys.contains_key(original) {
                let key = names.free_key(original);
                names.keys.insert(original.to_owned(), key);
            }
        }
        names
    }

    /// A key that no task of the file has.
    pub(crate) fn free_key(&mut self, wish: &str) -> String {
        let base = legal_key(wish);
        if self.used.insert(base.clone()) {
            return base;
        }
        let suffix = self.suffixes.entry(base.clone()).or_insert(1);
        loop {
            *suffix += 1;
            let end = format!("_{suffix}");
            let key = base.chars().take(CHARS_MAX - end.len()).collect::<String>() + &end;
            if self.used.insert(key.clone()) {
                return key;
            }
        }
    }

    /// Lets a second name mean the task that the first one means.
    pub(crate) fn add_alias(&mut self, alias: &str, original: &str) {
        if let Some(key) = self.keys.get(original).cloned() {
            self.keys.entry(alias.to_owned()).or_insert(key);
        }
    }

    pub(crate) fn find(&self, original: &str) -> Option<&str> {
        self.keys.get(original).map(String::as_str)
    }

    /// The key of a task; a name that no task has is only made legal, and refused by the checks after this.
    pub(crate) fn key(&self, original: &str) -> String {
        self.find(original)
            .map_or_else(|| legal_key(original), str::to_owned)
    }
}

fn legal_key(name: &str) -> String {
    let mut key: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .take(CHARS_MAX)
        .collect();
    if key.is_empty() {
        return "task".to_owned();
    }
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        key.insert(0, '_');
        key.truncate(CHARS_MAX);
    }
    key
}

/// The id of a workflow from its name: `Nightly pipeline` → `nightly-pipeline`.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    let slug = match slug.chars().next() {
        None => "workflow".to_owned(),
        Some(first) if first.is_ascii_lowercase() => slug.to_owned(),
        Some(_) => format!("w-{slug}"),
    };
    slug.chars()
        .take(CHARS_MAX)
        .collect::<String>()
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_keep_themselves_and_clashes_get_a_suffix() {
        let originals = ["a-b", "a.b", "a_b", "9", "", "ü"];
        let names = Names::new(originals.into_iter());
        let keys: Vec<String> = originals.iter().map(|name| names.key(name)).collect();
        assert_eq!(keys, ["a_b_2", "a_b_3", "a_b", "_9", "task", "_"]);
    }

    #[test]
    fn long_names_stay_apart() {
        let (a, b) = ("x".repeat(200), "x".repeat(201));
        let names = Names::new([a.as_str(), b.as_str()].into_iter());
        assert_ne!(names.key(&a), names.key(&b));
        assert!(names.key(&a).len() <= 128 && names.key(&b).len() <= 128);
    }

    #[test]
    fn slugs() {
        for (name, expected) in [
            ("Nightly pipeline", "nightly-pipeline"),
            ("  ETL (v2)! ", "etl-v2"),
            ("2024 report", "w-2024-report"),
            ("日本", "workflow"),
        ] {
            assert_eq!(slug(name), expected);
        }
    }
}
