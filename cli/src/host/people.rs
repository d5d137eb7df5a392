//! People who call the API under their own names: one a line, `NAME[:GROUP,GROUP] TOKEN`.

use std::path::Path;

use runnel_api::Person;

use crate::exit::Failure;

/// The people in the file. Empty lines and those that begin with `#` are left out.
pub fn read(path: &Path) -> Result<Vec<Person>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read the people in {}: {error}", path.display())))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Person>, Failure> {
    let mut people: Vec<Person> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // the line holds a secret: the message must not repeat it
        let bad = |what: &str| {
            Failure::usage(format!("line {} of the people {what}", at + 1))
                .hint("write `NAME TOKEN` or `NAME:GROUP,GROUP TOKEN`")
        };
        let (who, token) = line
            .split_once(char::is_whitespace)
            .ok_or_else(|| bad("has no token"))?;
        let (name, groups) = who.split_once(':').unwrap_or((who, ""));
        if name.is_empty() {
            return Err(bad("has no name"));
        }
        if people.iter().any(|person| person.name == name) {
            return Err(bad("has a name that another line has"));
        }
        let groups = groups.split(',').filter(|group| !group.is_empty());
        let groups: Vec<String> = groups.map(str::to_owned).collect();
        if groups.iter().any(|group| group == "*") {
            return Err(bad("has the group `*`, which only administrators have"));
        }
        people.push(Person {
            name: name.to_owned(),
            token: token.trim().to_owned(),
            groups,
        });
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_names_groups_and_tokens() {
        let people = parse("# the office\nana:risk,ops  t1\n\nbob t2\n").unwrap();
        assert_eq!(people.len(), 2);
        assert_eq!((people[0].name.as_str(), people[0].token.as_str()), ("ana", "t1"));
        assert_eq!(people[0].groups, ["risk", "ops"]);
        assert!(people[1].groups.is_empty());
    }

    #[test]
    fn a_bad_line_is_named_and_its_token_is_not() {
        for bad in ["ana", ":risk secret", "ana secret\nana secret", "ana:* secret"] {
            let failure = parse(bad).err().unwrap();
            let text = format!("{:#}", failure.error);
            assert!(text.contains("line ") && !text.contains("secret"), "{text}");
        }
    }
}
