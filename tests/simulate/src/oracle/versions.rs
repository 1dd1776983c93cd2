//! Which versions of tables there are, as a reader sees it who has looked once, and reads all that follows from those.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Value};
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::progress::VIEWS;
use millrace_runtime::versions::{Live, LiveStore, State, Version, catalogue};
use millrace_testkit::pipeline::Pipeline;

use super::world::Failure;
use crate::holds;

/// Versions, and a store in which plain names mean those that answer.
pub struct Versions {
    /// Those that are kept, by `<domain>.<family>`.
    pub kept: BTreeMap<String, Vec<Version>>,
    /// Those that answer.
    pub live: Live,
    /// What a reader reads from.
    pub reader: Arc<dyn ViewStore>,
    domain: &'static str,
    families: Vec<(String, &'static [&'static str])>,
}

impl Versions {
    /// Looks them up. A reader who has looked `before` reads what answered then, if it is there still.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn look<D: Domain>(pipeline: &Pipeline<D>, before: Option<&Live>) -> Result<Self, Failure> {
        Self::read(pipeline, before).map_err(|why| Failure::new("versions can be read", why.to_string()))
    }

    fn read<D: Domain>(pipeline: &Pipeline<D>, before: Option<&Live>) -> Result<Self, StoreFault> {
        let families: Vec<_> = (0..).map_while(|place| pipeline.family(place)).collect();
        let mut kept = BTreeMap::new();
        for (projection, _) in &families {
            let all = catalogue::read(&*pipeline.store, projection)?;
            let there = all.into_iter().filter(|it| it.state != State::Dropped);
            kept.insert(projection.clone(), there.map(|it| it.version).collect::<Vec<_>>());
        }
        let named = || families.iter().map(|(projection, views)| (plain::<D>(projection), *views));
        let mut live = Live::read(&*pipeline.store, named())?;
        let is_there =
            |it: &&Live| families.iter().all(|(name, _)| kept[name].contains(&it.version(plain::<D>(name))));
        if let Some(before) = before.filter(is_there) {
            live = before.clone();
        }
        let declared = parse_tables(D::SCHEMAS.views).unwrap_or_default();
        let inner = Arc::clone(&pipeline.store) as Arc<dyn ViewStore>;
        let reader = Arc::new(LiveStore::open(inner, &live, D::NAME, named(), &declared)?);
        Ok(Self { kept, live, reader, domain: D::NAME, families })
    }

    /// The version of `<domain>.<family>` that answers.
    #[must_use]
    pub fn answering(&self, projection: &str) -> Version {
        let plain = projection.strip_prefix(self.domain).and_then(|rest| rest.strip_prefix('.'));
        self.live.version(plain.unwrap_or(projection))
    }

    /// When nothing goes on any more, all views of a family name one version, and every version that is kept has the rows of
    /// the first of them, those of tables with a cap and of directories included.
    ///
    /// # Errors
    /// It is not so.
    pub fn judge<D: Domain>(&self, pipeline: &Pipeline<D>) -> Result<(), Failure> {
        let rows = pipeline.store.rows(VIEWS);
        for (projection, views) in &self.families {
            let version = self.answering(projection);
            for view in *views {
                let (name, table) = (Value::from(*view), Value::from(version.table(view).as_str()));
                let is_named = rows.iter().any(|row| row[..2] == [name.clone(), table.clone()]);
                holds!(is_named, "one version answers", "{view}: {rows:?}, expected {table:?}");
                let of = |version: &Version| pipeline.store.rows(&version.table(view));
                let mut kept = self.kept[projection].iter();
                let first = kept.next().map(of).unwrap_or_default();
                for version in kept {
                    let (number, found) = (version.0, of(version));
                    holds!(found == first, "versions agree", "{view} of {number}: {found:?}, not {first:?}");
                }
            }
        }
        Ok(())
    }
}

fn plain<D: Domain>(projection: &str) -> &str {
    projection.strip_prefix(D::NAME).and_then(|rest| rest.strip_prefix('.')).unwrap_or(projection)
}
