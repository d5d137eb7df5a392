//! Several writing statements as one (PostgreSQL): the server plans it once, and a batch is one message to it and one
//! answer, commit included.
//!
//! The parts become common table expressions. All of them see the database as it was before the first, so no two may
//! concern the same row; [`Statements`](super::save::Statements) sees to that. The guards come first: the final `SELECT`
//! counts the rows of the guarded parts and divides by zero when one is missing, which undoes everything.

use std::fmt::Write as _;

use sea_orm::{DbBackend, Statement, Value};

/// One statement; `expected` is how many rows it must return.
#[derive(Debug)]
pub(super) struct Part {
    pub statement: Statement,
    pub expected: Option<usize>,
}

/// The parts as one statement. At least one has a guard.
pub(super) fn combine(parts: Vec<Part>) -> Statement {
    let mut sql = String::with_capacity(8 * 1024);
    let (mut values, mut guards) = (Vec::new(), Vec::new());
    for (at, Part { statement, expected }) in parts.into_iter().enumerate() {
        let open = if at == 0 { "WITH" } else { "," };
        // writing to a string does not fail
        let _ = write!(sql, "{open} p{at} AS (");
        push_renumbered(&mut sql, &statement.sql, values.len());
        sql.push(')');
        values.extend(statement.values.map(|values| values.0).unwrap_or_default());
        guards.extend(expected.map(|expected| (at, expected)));
    }
    sql.push_str(" SELECT 1 / (");
    for (n, (at, expected)) in guards.into_iter().enumerate() {
        values.push(Value::BigInt(Some(i64::try_from(expected).unwrap_or(i64::MAX))));
        let and = if n == 0 { "" } else { " AND " };
        let _ = write!(sql, "{and}(SELECT count(*) FROM p{at}) = ${}", values.len());
    }
    sql.push_str(")::int");
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

/// Copies a statement, its parameters counted from `offset` on.
fn push_renumbered(sql: &mut String, part: &str, offset: usize) {
    let mut pieces = part.split('$');
    sql.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        let number = number.parse::<usize>().map_or(0, |number| number + offset);
        let _ = write!(sql, "${number}{rest}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_each_part_follow_those_of_the_part_before() {
        let part = |sql: &str, values: &[i64], expected| Part {
            statement: Statement::from_sql_and_values(
                DbBackend::Postgres,
                sql,
                values.iter().copied().map(Value::from),
            ),
            expected,
        };
        let one = combine(vec![
            part(
                "UPDATE a SET x = $2 WHERE y = $1::int RETURNING y",
                &[1, 2],
                Some(7),
            ),
            part("DELETE FROM b WHERE z = $1", &[3], None),
        ]);
        assert_eq!(
            one.sql,
            "WITH p0 AS (UPDATE a SET x = $2 WHERE y = $1::int RETURNING y), p1 AS (DELETE FROM b WHERE z = $3) \
             SELECT 1 / ((SELECT count(*) FROM p0) = $4)::int"
        );
        let values = one.values.unwrap().0;
        assert_eq!(values, [1, 2, 3, 7].map(|n: i64| Value::from(n)));
    }
}
