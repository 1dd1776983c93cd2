//! The topics of a domain whose author has declared none: `topics/<d>.toml` is for those who want others.

use std::fmt::Write as _;

const STANDARD: &str = include_str!("topics/standard.toml");
const STEPS: &str = include_str!("topics/steps.toml");
const LOOKUP: &str = include_str!("topics/lookup.toml");
const CHANGES: &str = include_str!("topics/changes.toml");

/// What is declared where nothing is: every topic that a domain with these schemas needs. A kind in `lookups` is given as its
/// topic names it; `live` are the view families with views that can be subscribed to.
pub fn standard(domain: &str, has_steps: bool, lookups: &[String], live: &[String]) -> String {
    let mut more = String::new();
    for kind in lookups {
        let _ = write!(more, "{}", LOOKUP.replace("{kind}", kind));
    }
    let changes: String = live.iter().map(|family| CHANGES.replace("{family}", family)).collect();
    STANDARD
        .replace("{domain}", domain)
        .replace("{steps}", if has_steps { STEPS } else { "" })
        .replace("{lookups}", &more)
        .replace("{changes}", &changes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Comments may differ.
    fn lines(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }

    #[test]
    fn it_is_what_the_domains_declare() {
        let topics = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../topics");
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (domain, lookups, live) in [
            ("accounting", named(&[]), named(&["accounts"])),
            ("chirp", named(&["user"]), named(&["users", "timelines"])),
        ] {
            let declared = fs::read_to_string(topics.join(format!("{domain}.toml"))).unwrap();
            assert_eq!(lines(&standard(domain, true, &lookups, &live)), lines(&declared), "{domain}");
        }
        let small = standard("guestbook", false, &[], &[]);
        assert!(small.contains("[topics.commands]") && !small.contains("[topics.steps]"), "{small}");
        assert!(!small.contains('{'), "{small}");
    }
}
