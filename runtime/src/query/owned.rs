//! Whose a run is, asked of rows that are found by their key.

use runnel_entity::run;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait, SimpleExpr};

use crate::actor::Actor;

/// That a run belongs to the actor's namespace, as a condition that no index can answer.
///
/// Several indexes begin with the namespace. To a planner that has no statistics yet, walking all runs of a namespace
/// along one of them looks no worse than looking up a key, and a server that plans a statement once does not notice that the
/// table has grown since.
pub(crate) fn is_own(actor: &Actor) -> SimpleExpr {
    Expr::col((run::Entity, run::Column::Namespace))
        .binary(BinOper::Custom("||"), Expr::val(""))
        .eq(&*actor.namespace)
}
