//! Names for the templates of a script: each value goes in by a variable, and is never part of the script.

use crate::source::convert::template::Piece;

/// The variables of one script.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    taken: Vec<String>,
    named: Vec<(String, String)>,
}

impl Variables {
    /// With names that are in use already.
    pub(crate) fn besides<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Self {
            taken: names.map(str::to_owned).collect(),
            named: Vec::new(),
        }
    }

    /// The variable for an expression; the same one for the same expression.
    pub(crate) fn name(&mut self, piece: &Piece<'_>, expression: String) -> String {
        if let Some((name, _)) = self.named.iter().find(|(_, known)| *known == expression) {
            return name.clone();
        }
        let base = base_name(piece);
        let mut name = base.clone();
        let mut suffix = 2;
        while self.taken.contains(&name) {
            name = format!("{base}_{suffix}");
            suffix += 1;
        }
        self.taken.push(name.clone());
        self.named.push((name.clone(), expression));
        name
    }

    /// Each name with its expression as a template.
    pub(crate) fn into_templates(self) -> impl Iterator<Item = (String, String)> {
        let named = self.named.into_iter();
        named.map(|(name, expression)| (name, format!("${{{{ {expression} }}}}")))
    }
}

/// `VAR_NAME`, `SECRET_NAME`, `ITEM_FIELD`.
fn base_name(piece: &Piece<'_>) -> String {
    let (prefix, name) = match piece {
        Piece::Variable(name) => ("VAR_", *name),
        Piece::Secret(name) => ("SECRET_", *name),
        Piece::Path(name) => ("", *name),
        Piece::Cel(_) | Piece::Literal(_) => ("", "VALUE"),
    };
    let legal: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    let start = if prefix.is_empty() && !legal.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "V_"
    } else {
        prefix
    };
    format!("{start}{legal}")
}
