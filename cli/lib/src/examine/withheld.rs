//! What is left out of what topics hold for those who are told of it over HTTP: `"withheld"` in the schemas, and what it could be
//! told from.

use millrace_kernel::WithheldRule;
use serde_json::Value as Json;

use crate::domain::DomainEntry;

/// What stands where something is left out.
pub const MARK: &str = "(withheld)";

/// What is withheld of one domain.
#[derive(Clone, Copy, Debug)]
pub struct Withheld(&'static [WithheldRule]);

impl Withheld {
    /// Nothing: whoever asks may read the topics.
    #[must_use]
    pub fn nothing() -> Self {
        Self(&[])
    }

    /// What the domain's schemas say.
    #[must_use]
    pub fn of(entry: &dyn DomainEntry) -> Self {
        Self(entry.schemas().withheld)
    }

    /// Whether there is anything.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Takes it out of the fields of a message of this name.
    pub fn fields(&self, name: &str, data: &mut Json) {
        for rule in self.0.iter().filter(|rule| rule.record == name) {
            cover(data, rule.field);
        }
    }

    /// Takes it out of the state of this aggregate.
    pub fn state(&self, aggregate_id: &str, state: &mut Json) {
        let kind = aggregate_id.split('/').next().unwrap_or_default();
        self.fields(kind, state);
    }

    /// Takes it out of a row: a column that is called like anything that is withheld may hold it.
    pub fn row(&self, values: &mut Json) {
        let Some(columns) = values.as_object_mut() else { return };
        for rule in self.0 {
            if let Some(value) = columns.get_mut(rule.name()).filter(|value| !value.is_null()) {
                *value = Json::from(MARK);
            }
        }
    }

    /// Takes it out of the story of a command of the domain, but for what other domains have done.
    pub fn explanation(&self, told: &mut Json) {
        if !self.is_any() {
            return;
        }
        for asked in items(&mut told["asked"]) {
            let name = text(&asked["type"]);
            self.fields(&name, &mut asked["data"]);
            // of few possible values the right one is found by trying
            if let Some(asked) = asked.as_object_mut() {
                asked.remove("digest");
            }
        }
        for answered in items(&mut told["outcomes"]) {
            if let Some(answered) = answered.as_object_mut() {
                answered.remove("digest");
            }
        }
        self.acts(&mut told["acts"]);
    }

    /// Takes it out of messages and what they caused.
    pub fn acts(&self, acts: &mut Json) {
        for event in items(acts).flat_map(|act| items(&mut act["events"])) {
            let (name, aggregate) = (text(&event["type"]), text(&event["aggregate_id"]));
            self.fields(&name, &mut event["data"]);
            self.state(&aggregate, &mut event["state"]);
            for row in items(&mut event["rows"]).flat_map(|follows| items(&mut follows["writes"])) {
                self.row(&mut row["values"]);
            }
        }
    }

    /// Takes it out of a message as the dead topic shows it: `{"id": …, "data": {"NAME": {…}}}`.
    pub fn message(&self, message: &mut Json) {
        for (name, data) in message["data"].as_object_mut().into_iter().flatten() {
            // decoders name a message by its full name
            let name = name.rsplit_once('.').map_or(name.as_str(), |(_, name)| name);
            self.fields(name, data);
        }
    }
}

fn items(list: &mut Json) -> impl Iterator<Item = &mut Json> {
    list.as_array_mut().into_iter().flatten()
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Covers what stands at `path`, in every item of a list on the way.
fn cover(value: &mut Json, path: &str) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| cover(item, path)),
        Json::Object(fields) => {
            let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
            match (fields.get_mut(name), rest) {
                (Some(inner), Some(rest)) => cover(inner, rest),
                (Some(inner), None) => *inner = Json::from(MARK),
                (None, _) => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: Withheld = Withheld(&[
        WithheldRule { record: "Say", field: "points" },
        WithheldRule { record: "Said", field: "points" },
        WithheldRule { record: "Round", field: "said.points" },
    ]);

    #[test]
    fn nothing_is_left_from_which_it_could_be_told() {
        let mut told = json!({
            "asked": [{"type": "Say", "data": {"who": "ann", "points": 41}, "digest": "abc"}],
            "outcomes": [{"status": "accepted", "digest": "abc"}],
            "acts": [{"events": [{
                "type": "Said", "aggregate_id": "Round/r1", "data": {"who": "ann", "points": 41},
                "state": {"said": [{"who": "ann", "points": 41}, {"who": "bob", "points": 43}]},
                "rows": [{"writes": [{"key": {"who": "ann"}, "values": {"points": 41, "at": 7}}, {"key": {}, "values": null}]}],
            }]}],
        });
        RULES.explanation(&mut told);
        let text = told.to_string();
        assert!(!text.contains("41") && !text.contains("43") && !text.contains("abc"), "{text}");
        assert!(text.contains("ann") && text.contains("\"at\":7"), "the rest stays: {text}");
        assert_eq!(told["acts"][0]["events"][0]["state"]["said"][1]["points"], MARK);
    }

    #[test]
    fn a_dead_message_and_a_state_are_covered_and_others_are_not() {
        let mut dead = json!({"id": "x", "data": {"millrace.d.commands.Say": {"points": 41}}});
        RULES.message(&mut dead);
        assert_eq!(dead["data"]["millrace.d.commands.Say"]["points"], MARK);
        let mut other = json!({"points": 41});
        RULES.fields("Closed", &mut other);
        assert_eq!(other["points"], 41, "what is turned up is told");
        let mut state = Json::Null;
        RULES.state("Round/r1", &mut state);
        assert!(state.is_null());
    }
}
