//! The story of a command in other domains: what those have done about its events, and others about theirs.

use millrace_audit::EventPlace;
use millrace_audit::explain::{Act, Elsewhere, Explanation};

use super::{Asking, Tools};
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;

/// Most events whose consequences are followed: domains that react to each other may go on for ever.
const MOST: usize = 100;

/// Adds what the domains of this build have done about the events of a command.
///
/// # Errors
/// Servers that do not answer.
pub fn follow(
    servers: &Servers<'_>,
    tools: &Tools<'_>,
    domains: &[Box<dyn DomainEntry>],
    asking: &Asking<'_>,
    explanation: &mut Explanation,
) -> Result<(), CliError> {
    let mut left = vec![(explanation.domain, events(&explanation.acts))];
    while let Some((of, events)) = left.pop() {
        for entry in domains.iter().filter(|entry| entry.policies().iter().any(|(source, _)| *source == of)) {
            let store = servers.open_store(&**entry)?;
            let examiner = entry.examiner(servers.config)?;
            for found in examiner.consequences(tools, Some(&*store), asking, (of, &events))? {
                if explanation.elsewhere.len() >= MOST {
                    return Ok(());
                }
                left.push((found.domain, self::events(&found.acts)));
                explanation.elsewhere.push(found);
            }
        }
    }
    Ok(())
}

fn events(acts: &[Act]) -> Vec<EventPlace> {
    acts.iter().flat_map(|act| &act.events).map(|event| event.place.clone()).collect()
}

/// What is to be said above the steps.
pub fn title(elsewhere: &Elsewhere) -> String {
    let Elsewhere { domain, event_id, event, is_reacted, .. } = elsewhere;
    let waits = if *is_reacted { "" } else { ", which its policy has not come to yet" };
    format!(
        "in {domain}, for event {event_id} ({}[{}] at {}){waits}",
        event.topic, event.partition, event.offset
    )
}
