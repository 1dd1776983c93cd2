//! Nobody but their author learns points of a round that is not closed: no row of a table that others read has any, nor a change
//! that they hear of, at any moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_domain_estimation::{Estimations, EventData};
use millrace_kernel::{Change, Domain, Value};
use millrace_runtime::Topology;
use millrace_testkit::pipeline::Pipeline;
use millrace_wire::Codec;

use super::EstimationWorkload;
use crate::holds;
use crate::oracle::world::{Failure, World};

/// The family whose rows others read.
const FAMILY: &str = "estimation.estimations";

/// What was turned up.
#[derive(Default)]
struct TurnedUp {
    /// Estimation, round, points and spread.
    rounds: BTreeSet<(String, i32, i64, i64)>,
    /// Estimation, round, member and points.
    estimates: BTreeSet<(String, i32, String, i64)>,
}

impl TurnedUp {
    fn of(world: &World<'_, EstimationWorkload>) -> Self {
        let mut all = Self::default();
        for (_, seen) in world.partitions() {
            for (_, event) in &seen.events {
                let EventData::EstimationClosed(e) = &event.data else { continue };
                let id = e.estimation_id.to_string();
                all.rounds.insert((id.clone(), e.round, e.points, e.spread));
                for it in &e.estimates {
                    all.estimates.insert((id.clone(), e.round, it.member_id.to_string(), it.points));
                }
            }
        }
        all
    }

    /// Whether what a row says was turned up; `column` gives what stands in one of its columns.
    fn has(&self, view: &str, column: &dyn Fn(&str) -> Value) -> bool {
        let text = |name: &str| match column(name) {
            Value::Text(text) => text.to_string(),
            _ => String::new(),
        };
        let number = |name: &str| match column(name) {
            Value::BigInt(number) => Some(number),
            _ => None,
        };
        let Value::Int(round) = column("round") else { return false };
        let Some(points) = number("points") else {
            return view != "estimations_by_project" || number("spread").is_none();
        };
        if view == "estimates" {
            return self.estimates.contains(&(text("estimation_id"), round, text("member_id"), points));
        }
        number("spread")
            .is_some_and(|spread| self.rounds.contains(&(text("estimation_id"), round, points, spread)))
    }
}

/// Looks at all rows that others read, and at all changes that they hear of.
///
/// # Errors
/// What says too much.
pub fn look(world: &World<'_, EstimationWorkload>) -> Result<(), Failure> {
    let turned_up = TurnedUp::of(world);
    for version in &world.versions.kept[FAMILY] {
        for view in ["estimations_by_project", "estimates"] {
            let columns = &world.table(view).columns;
            for row in world.pipeline.store.rows(&version.table(view)) {
                let column = |name: &str| {
                    let at = columns.iter().position(|column| column.name == name);
                    at.map_or(Value::Null, |at| row[at].clone())
                };
                holds!(
                    turned_up.has(view, &column),
                    "nobody learns of points before all do",
                    "{view}: {row:?}"
                );
            }
        }
    }
    let codec = changes(world.pipeline)?;
    for record in world.records(&world.pipeline.names().changes("estimations")) {
        let change = codec.decode(record.value.as_deref().unwrap_or_default());
        let change = change.map_err(|why| Failure::new("changes can be read", why.to_string()))?;
        let Some(row) = &change.row else { continue };
        let column = |name: &str| {
            let found = row.iter().find(|(column, _)| **column == *name);
            found.map_or(Value::Null, |(_, value)| value.clone())
        };
        holds!(turned_up.has(&change.view, &column), "nobody hears of points before all do", "{change:?}");
    }
    Ok(())
}

fn changes(pipeline: &Pipeline<Estimations>) -> Result<Codec<Change>, Failure> {
    let subject = Topology::subject(&pipeline.names().changes("estimations"));
    let schema = <Estimations as Domain>::SCHEMAS.changes.unwrap_or_default();
    let codec = Codec::register(Arc::clone(pipeline.registry()), &subject, schema);
    codec.map_err(|why| Failure::new("changes can be read", why.to_string()))
}
