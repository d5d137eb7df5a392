//! Several writing statements as one: a batch is one message to the database and one answer, commit included.
//!
//! With PostgreSQL the parts become common table expressions, which the server plans once. All of them see the database as
//! it was before the first, so no two may concern the same row; [`Statements`](super::save::Statements) sees to that. The
//! guards come first: the final `SELECT` counts the rows of the guarded parts and divides by zero when one is missing, which
//! undoes everything.
//!
//! With SQLite they stay statements, one after the other in one script that is a transaction; a guard overflows when its
//! statement has not changed the number of rows that it should.

use std::fmt::Write as _;

use sea_orm::{DbBackend, Statement, Value};

/// One statement; `expected` is how many rows it must return.
#[derive(Debug)]
pub(super) struct Part {
    pub statement: Statement,
    pub expected: Option<usize>,
}

/// The parts as one statement, or script. At least one has a guard.
pub(super) fn combine(backend: DbBackend, parts: Vec<Part>) -> Statement {
    match backend {
        DbBackend::Postgres => one_statement(parts),
        _ => script(parts),
    }
}

/// The smallest number, which has no absolute value.
const NO_ABSOLUTE: &str = "-9223372036854775807 - 1";

fn script(parts: Vec<Part>) -> Statement {
    let mut sql = String::with_capacity(8 * 1024);
    let mut values = Vec::new();
    // the write lock from the beginning, as every transaction that writes
    sql.push_str("BEGIN IMMEDIATE;");
    for Part { statement, expected } in parts {
        let own = statement.values.map(|values| values.0).unwrap_or_default();
        push_in_turn(&mut sql, &statement.sql, &own, &mut values);
        sql.push(';');
        if let Some(expected) = expected {
            values.push(expected_rows(expected));
            let _ = write!(
                sql,
                "SELECT abs(CASE WHEN changes() = ? THEN 0 ELSE {NO_ABSOLUTE} END);"
            );
        }
    }
    sql.push_str("COMMIT");
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// Copies a statement, its numbered parameters as ones without a number, each with a value of its own: the driver hands the
/// values of a script out in turn, and binds a statement whose numbers begin later than with one to NULL.
fn push_in_turn(sql: &mut String, part: &str, own: &[Value], values: &mut Vec<Value>) {
    let mut pieces = part.split('?');
    sql.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (number, rest) = split_number(piece);
        sql.push('?');
        sql.push_str(rest);
        let value = number.and_then(|number| own.get(number.checked_sub(1)?));
        values.push(value.cloned().unwrap_or(Value::String(None)));
    }
}

/// The number that a piece begins with, and the rest.
fn split_number(piece: &str) -> (Option<usize>, &str) {
    let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
    let (number, rest) = piece.split_at(end);
    (number.parse().ok(), rest)
}

fn expected_rows(rows: usize) -> Value {
    Value::BigInt(Some(i64::try_from(rows).unwrap_or(i64::MAX)))
}

fn one_statement(parts: Vec<Part>) -> Statement {
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
        values.push(expected_rows(expected));
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
        let (number, rest) = split_number(piece);
        let number = number.map_or(0, |number| number + offset);
        let _ = write!(sql, "${number}{rest}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_a_transaction_whose_guards_look_at_the_statement_before() {
        let part = |sql: &str, values: &[&str], expected| Part {
            statement: Statement::from_sql_and_values(
                DbBackend::Sqlite,
                sql,
                values.iter().copied().map(Value::from),
            ),
            expected,
        };
        let one = combine(
            DbBackend::Sqlite,
            vec![
                part("UPDATE a SET x = ?2, y = ?1", &["u", "w"], Some(7)),
                part("DELETE FROM b WHERE z = ?1 OR y = ?1", &["v"], None),
            ],
        );
        assert_eq!(
            one.sql,
            "BEGIN IMMEDIATE;UPDATE a SET x = ?, y = ?;\
             SELECT abs(CASE WHEN changes() = ? THEN 0 ELSE -9223372036854775807 - 1 END);\
             DELETE FROM b WHERE z = ? OR y = ?;COMMIT"
        );
        let values = one.values.unwrap().0;
        let text = |text: &str| Value::from(text);
        assert_eq!(
            values,
            [text("w"), text("u"), Value::from(7_i64), text("v"), text("v")]
        );
    }

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
        let one = one_statement(vec![
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
