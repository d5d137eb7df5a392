//! Rows bound to one statement, however many there are: one array a column with PostgreSQL, one JSON text with SQLite.
//!
//! The text of a statement never depends on the number of rows, so the driver prepares it once. NULL travels as a
//! sentinel with PostgreSQL, because the driver cannot bind an array with a NULL element: the smallest `BIGINT` for
//! numbers, the empty text for texts. No stored number is that small, and no nullable text is empty (they are JSON or names).

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

/// Stands for NULL in an array of numbers.
const NULL_INT: i64 = i64::MIN;

/// Type of a column of a [`RowSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UUID, never NULL.
    Id,
    /// UUID, NULL when nil.
    OptId,
    /// Any integer or a boolean as 0 or 1, may be NULL.
    Int,
    /// Text, NULL when empty.
    Text,
}

/// A column: its name in the table, and how it is bound.
pub(crate) type Column = (&'static str, Kind);

/// Rows of one statement, filled cell by cell in the order of the columns.
#[derive(Debug)]
pub(crate) struct RowSet {
    columns: &'static [Column],
    cells: Cells,
    next: usize,
    len: usize,
}

#[derive(Debug)]
enum Cells {
    Arrays(Vec<Vec<Value>>),
    Json(String),
}

impl RowSet {
    /// An empty set.
    pub(crate) fn new(backend: DbBackend, columns: &'static [Column]) -> Self {
        let cells = if backend == DbBackend::Postgres {
            Cells::Arrays(columns.iter().map(|_| Vec::new()).collect())
        } else {
            Cells::Json("[".to_owned())
        };
        Self {
            columns,
            cells,
            next: 0,
            len: 0,
        }
    }

    /// Number of complete rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to bind; an empty set makes no statement.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an id.
    pub(crate) fn id(&mut self, value: Uuid) -> &mut Self {
        match &mut self.cells {
            Cells::Arrays(columns) => columns[self.next].push(Value::Uuid(Some(value))),
            Cells::Json(text) => {
                open_cell(text, self.next, self.len);
                text.push('"');
                text.push_str(value.simple().encode_lower(&mut Uuid::encode_buffer()));
                text.push('"');
            }
        }
        self.advance()
    }

    /// Adds an id or NULL.
    pub(crate) fn opt_id(&mut self, value: Option<Uuid>) -> &mut Self {
        match (&mut self.cells, value) {
            (Cells::Json(text), None) => {
                open_cell(text, self.next, self.len);
                text.push_str("null");
                self.advance()
            }
            (Cells::Arrays(_), None) => self.id(Uuid::nil()),
            (_, Some(value)) => self.id(value),
        }
    }

    /// Adds a number.
    pub(crate) fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.opt_int(Some(value.into()))
    }

    /// Adds a number or NULL.
    pub(crate) fn opt_int(&mut self, value: Option<i64>) -> &mut Self {
        match &mut self.cells {
            Cells::Arrays(columns) => columns[self.next].push(Value::BigInt(Some(value.unwrap_or(NULL_INT)))),
            Cells::Json(text) => {
                open_cell(text, self.next, self.len);
                match value {
                    Some(value) => text.push_str(&value.to_string()),
                    None => text.push_str("null"),
                }
            }
        }
        self.advance()
    }

    /// Adds a text that is not empty.
    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.opt_text(Some(value))
    }

    /// Adds a text or NULL.
    pub(crate) fn opt_text(&mut self, value: Option<&str>) -> &mut Self {
        match &mut self.cells {
            Cells::Arrays(columns) => {
                columns[self.next].push(Value::String(Some(value.unwrap_or_default().to_owned())));
            }
            Cells::Json(text) => {
                open_cell(text, self.next, self.len);
                match value {
                    Some(value) => push_json_text(text, value),
                    None => text.push_str("null"),
                }
            }
        }
        self.advance()
    }

    /// The statement with these rows as its first parameters, and further ones after them.
    pub(crate) fn bind(self, backend: DbBackend, sql: &str, further: Vec<Value>) -> Statement {
        debug_assert_eq!(self.next, 0, "the last row is complete");
        let mut values = match self.cells {
            Cells::Arrays(columns) => self
                .columns
                .iter()
                .zip(columns)
                .map(|((_, kind), values)| Value::Array(array_type(*kind), Some(Box::new(values))))
                .collect(),
            Cells::Json(mut text) => {
                text.push(']');
                vec![Value::String(Some(text))]
            }
        };
        values.extend(further);
        Statement::from_sql_and_values(backend, sql, values)
    }

    fn advance(&mut self) -> &mut Self {
        self.next += 1;
        if self.next == self.columns.len() {
            if let Cells::Json(text) = &mut self.cells {
                text.push(']');
            }
            self.next = 0;
            self.len += 1;
        }
        self
    }
}

/// Opens the row or separates the cell from the one before.
fn open_cell(text: &mut String, next: usize, len: usize) {
    match (next, len) {
        (0, 0) => text.push('['),
        (0, _) => text.push_str(",["),
        _ => text.push(','),
    }
}

fn push_json_text(text: &mut String, value: &str) {
    text.push('"');
    let mut plain = 0;
    for (at, byte) in value.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        text.push_str(&value[plain..at]);
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            _ => text.push_str(&format!("\\u{byte:04x}")),
        }
        plain = at + 1;
    }
    text.push_str(&value[plain..]);
    text.push('"');
}

fn array_type(kind: Kind) -> ArrayType {
    match kind {
        Kind::Id | Kind::OptId => ArrayType::Uuid,
        Kind::Int => ArrayType::BigInt,
        Kind::Text => ArrayType::String,
    }
}

/// The rows as a table expression `(SELECT … ) AS c` with the columns' names and NULL in place of the sentinels.
pub(crate) fn source(backend: DbBackend, columns: &[Column]) -> String {
    let picks: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, (name, kind))| format!("{} AS {name}", pick(backend, at, name, *kind)))
        .collect();
    let picks = picks.join(", ");
    if backend == DbBackend::Postgres {
        format!("(SELECT {picks} FROM {}) AS c", unnest(columns))
    } else {
        format!("(SELECT {picks} FROM json_each(?1)) AS c")
    }
}

fn unnest(columns: &[Column]) -> String {
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| {
            let of = match kind {
                Kind::Id | Kind::OptId => "uuid",
                Kind::Int => "bigint",
                Kind::Text => "text",
            };
            format!("${}::{of}[]", at + 1)
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    format!("UNNEST({}) AS u({})", arrays.join(", "), names.join(", "))
}

fn pick(backend: DbBackend, at: usize, name: &str, kind: Kind) -> String {
    match (backend == DbBackend::Postgres, kind) {
        (true, Kind::Id) => format!("u.{name}"),
        (true, Kind::OptId) => format!("NULLIF(u.{name}, '{}'::uuid)", Uuid::nil()),
        (true, Kind::Int) => format!("NULLIF(u.{name}, {NULL_INT})"),
        (true, Kind::Text) => format!("NULLIF(u.{name}, '')"),
        (false, Kind::Id | Kind::OptId) => format!("unhex(value->>{at})"),
        (false, Kind::Int | Kind::Text) => format!("value->>{at}"),
    }
}

/// One row an id.
pub(crate) fn ids(backend: DbBackend, values: impl Iterator<Item = Uuid>) -> RowSet {
    const IDS: &[Column] = &[("id", Kind::Id)];
    let mut rows = RowSet::new(backend, IDS);
    for value in values {
        rows.id(value);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[("id", Kind::Id), ("n", Kind::Int), ("t", Kind::Text)];

    #[test]
    fn sqlite_rows_are_one_valid_json_text() {
        let mut rows = RowSet::new(DbBackend::Sqlite, COLUMNS);
        rows.id(Uuid::nil()).int(7).text("a \"b\" \\ \u{1}\n ü");
        rows.id(Uuid::max()).opt_int(None).opt_text(None);
        assert_eq!(rows.len(), 2);
        let statement = rows.bind(DbBackend::Sqlite, "x", vec![]);
        let Some(Value::String(Some(text))) = statement.values.map(|v| v.0[0].clone()) else {
            panic!("one text")
        };
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed[0][2], "a \"b\" \\ \u{1}\n ü");
        assert_eq!(parsed[1][1], serde_json::Value::Null);
        assert_eq!(parsed[1][0], "f".repeat(32));
    }

    #[test]
    fn postgres_rows_are_one_array_a_column() {
        let mut rows = RowSet::new(DbBackend::Postgres, COLUMNS);
        rows.id(Uuid::nil()).opt_int(None).opt_text(None);
        let values = rows
            .bind(DbBackend::Postgres, "x", vec![1i64.into()])
            .values
            .unwrap()
            .0;
        assert_eq!(values.len(), 4);
        assert_eq!(
            values[1],
            Value::Array(
                ArrayType::BigInt,
                Some(Box::new(vec![Value::BigInt(Some(i64::MIN))]))
            )
        );
    }
}
