//! What an expression reads, found by walking its syntax tree.

use std::collections::BTreeSet;

use cel::common::ast::{Expr as Ast, IdedExpr, LiteralValue};

use super::guard::entry_parts;
use super::{CONTEXTS, ExprError, Reach, References};

/// Collects the references; refuses `tasks` and `secrets` read by anything but a literal name, and a loop variable that hides a context.
pub(super) fn collect(ast: &IdedExpr, text: &str) -> Result<References, ExprError> {
    let mut walk = Walk {
        text,
        found: References::default(),
        loop_variables: Vec::new(),
    };
    walk.visit(&ast.expr)?;
    Ok(walk.found)
}

struct Walk<'a> {
    text: &'a str,
    found: References,
    loop_variables: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, ast: &'a Ast) -> Result<(), ExprError> {
        if let Some(path) = Path::of(ast) {
            // the operands of dynamic indices inside the path are expressions of their own
            for index in path.dynamic {
                self.visit(index)?;
            }
            return self.note(path.root, &path.members);
        }
        match ast {
            Ast::Unspecified | Ast::Literal(_) | Ast::Ident(_) => Ok(()),
            Ast::Select(s) => self.visit(&s.operand.expr),
            Ast::Call(c) => c
                .target
                .iter()
                .map(AsRef::as_ref)
                .chain(&c.args)
                .try_for_each(|part| self.visit(&part.expr)),
            Ast::List(l) => l.elements.iter().try_for_each(|part| self.visit(&part.expr)),
            Ast::Map(m) => m
                .entries
                .iter()
                .flat_map(|e| entry_parts(&e.expr))
                .flatten()
                .try_for_each(|part| self.visit(&part.expr)),
            Ast::Struct(s) => s
                .entries
                .iter()
                .flat_map(|e| entry_parts(&e.expr))
                .flatten()
                .try_for_each(|part| self.visit(&part.expr)),
            Ast::Comprehension(c) => {
                self.visit(&c.iter_range.expr)?;
                self.visit(&c.accu_init.expr)?;
                let outer = self.loop_variables.len();
                for name in std::iter::once(&c.iter_var).chain(&c.iter_var2) {
                    if CONTEXTS.contains(&name.as_str()) {
                        return Err(self.error(
                            name,
                            format!("a loop variable may not be called `{name}`, which is a context"),
                        ));
                    }
                    self.loop_variables.push(name);
                }
                self.loop_variables.push(&c.accu_var);
                for part in [&c.loop_cond, &c.loop_step, &c.result] {
                    self.visit(&part.expr)?;
                }
                self.loop_variables.truncate(outer);
                Ok(())
            }
        }
    }

    fn note(&mut self, root: &'a str, members: &[&str]) -> Result<(), ExprError> {
        if self.loop_variables.contains(&root) {
            return Ok(());
        }
        self.found.roots.insert(root.to_owned());
        match (root, members) {
            ("tasks", [key, rest @ ..]) => {
                self.found.tasks.insert((*key).to_owned());
                if !matches!(rest.first(), Some(&("status" | "error" | "attempt"))) {
                    self.found.outputs.insert((*key).to_owned());
                }
            }
            ("secrets", [name, ..]) => {
                self.found.secrets.insert((*name).to_owned());
            }
            ("tasks" | "secrets", []) => {
                return Err(self.error(
                    root,
                    format!("`{root}` must be followed by a name, as `{root}.name`"),
                ));
            }
            (_, []) => self.found.add_reach(root, Reach::Whole),
            (_, [first, ..]) => self
                .found
                .add_reach(root, Reach::Members(BTreeSet::from([(*first).to_owned()]))),
        }
        Ok(())
    }

    fn error(&self, word: &str, message: String) -> ExprError {
        ExprError::new(message, self.text.find(word).unwrap_or(0))
    }
}

/// A chain of selections that starts at a name: `root.a["b"][i].c` has the members `a`, `b` (up to the first dynamic index).
struct Path<'a> {
    root: &'a str,
    members: Vec<&'a str>,
    dynamic: Vec<&'a Ast>,
}

impl<'a> Path<'a> {
    fn of(mut ast: &'a Ast) -> Option<Self> {
        let mut members = Vec::new();
        let mut dynamic = Vec::new();
        loop {
            match ast {
                Ast::Ident(root) => {
                    members.reverse();
                    return Some(Self {
                        root,
                        members,
                        dynamic,
                    });
                }
                Ast::Select(s) => {
                    members.push(s.field.as_str());
                    ast = &s.operand.expr;
                }
                Ast::Call(c) if c.func_name == "_[_]" && c.target.is_none() && c.args.len() == 2 => {
                    match &c.args[1].expr {
                        Ast::Literal(LiteralValue::String(name)) => members.push(name.inner()),
                        index => {
                            // what follows a dynamic index is not a member of a known value
                            members.clear();
                            dynamic.push(index);
                        }
                    }
                    ast = &c.args[0].expr;
                }
                _ => return None,
            }
        }
    }
}
