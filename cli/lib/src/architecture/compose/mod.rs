//! What a compose file starts: which services run which role, and what stands beside them.

mod yaml;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value as Json;

use super::model::{Architecture, Deployed, Element, Kind};
use crate::error::CliError;

/// What is read of a file at most, in bytes.
const MOST_BYTES: u64 = 4 << 20;
/// The names under which `docker-compose` itself looks for its file.
const USUAL: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it is started from.
    pub image: String,
    /// Its command, word by word.
    pub command: Vec<String>,
    /// How many of it are started.
    pub replicas: u32,
    /// It is started only where one of these is asked for.
    pub profiles: Vec<String>,
}

/// The compose file of the working folder, if there is one.
#[must_use]
pub fn usual() -> Option<&'static Path> {
    USUAL.iter().map(Path::new).find(|path| path.is_file())
}

/// The services of a compose file.
///
/// # Errors
/// A file that cannot be read, or is none.
pub fn read(path: &Path) -> Result<Vec<Service>, CliError> {
    let failed = |why: &dyn std::fmt::Display| CliError::failed(format!("{}: {why}", path.display()));
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(failed(&format!("it is larger than {} MiB", MOST_BYTES >> 20)));
    }
    services(&text).map_err(|why| failed(&why))
}

/// The services of the text of a compose file.
///
/// # Errors
/// What is wrong with it.
pub fn services(text: &str) -> Result<Vec<Service>, String> {
    let file = yaml::read(text)?;
    let Some(services) = file["services"].as_object() else {
        return Err("it has no services, so it is no compose file".to_owned());
    };
    let mut found: Vec<Service> = services.iter().map(|(name, of)| service(name, of)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn service(name: &str, of: &Json) -> Service {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let words = |value: &Json| match value {
        Json::Array(words) => words.iter().map(text).collect(),
        Json::String(line) => line.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    // what stands before the role, as in `entrypoint: [millrace]`, is no part of it
    let mut command: Vec<String> = words(&of["entrypoint"]);
    command.extend(words(&of["command"]));
    let replicas = [&of["deploy"]["replicas"], &of["scale"]].into_iter().find_map(number);
    let profiles = of["profiles"].as_array().into_iter().flatten().map(text).collect();
    Service {
        name: name.to_owned(),
        image: text(&of["image"]),
        command,
        replicas: replicas.unwrap_or(1),
        profiles,
    }
}

/// A number, also one that is a variable with a usual value: `${N:-2}`.
fn number(value: &Json) -> Option<u32> {
    match value {
        Json::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Json::String(text) => {
            let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let usual = inner.and_then(|inner| inner.split_once('-')).map(|(_, usual)| usual);
            usual.unwrap_or(text).trim().parse().ok()
        }
        _ => None,
    }
}

impl Service {
    /// The role of this system that it plays, and what that is limited to: `("processor", ["chirp"])`.
    fn role(&self) -> Option<(&str, Vec<&str>)> {
        let mut words = self.command.iter().map(String::as_str).skip_while(|word| {
            let program = word.rsplit('/').next().unwrap_or(word);
            program == "millrace"
        });
        let role =
            words.next().filter(|role| matches!(*role, "processor" | "projector" | "gateway" | "up"))?;
        // a flag may have its value behind it; a domain or view is never behind a flag
        let mut names = Vec::new();
        let mut is_value = false;
        for word in words {
            let is_flag = word.starts_with('-');
            if !is_flag && !is_value {
                names.push(word);
            }
            is_value = is_flag && !word.contains('=');
        }
        Some((role, names))
    }

    /// Whether it runs the role of `element`.
    fn runs(&self, element: &Element) -> bool {
        let Some((role, names)) = self.role() else { return false };
        // the names that may stand behind a role: a domain, or a view family of it
        let whole = element.id.split_once(':').map_or("", |(_, name)| name);
        let is_named = |name: &&str| *name == whole || Some(*name) == element.context.as_deref();
        let is_meant = names.is_empty() || names.iter().any(is_named);
        match (element.kind, role) {
            (Kind::Processor | Kind::Policy | Kind::Projector, "up") => true,
            (Kind::Processor | Kind::Policy, "processor") | (Kind::Projector, "projector") => is_meant,
            (Kind::Gateway, "gateway" | "up") => true,
            _ => false,
        }
    }
}

/// Says of each role which services run it, and adds those that stand beside the system.
pub fn add(drawn: &mut Architecture, file: &Path, services: &[Service]) {
    drawn.sources.compose = Some(file.display().to_string());
    for element in &mut drawn.elements {
        let running = services.iter().filter(|service| service.runs(element));
        element.deployed = running
            .map(|service| Deployed { service: service.name.clone(), replicas: service.replicas })
            .collect();
    }
    for service in services.iter().filter(|service| service.role().is_none()) {
        let mut about =
            if service.image.is_empty() { String::new() } else { format!("image {}", service.image) };
        if !service.profiles.is_empty() {
            about = format!("{about}; only with the profile {}", service.profiles.join(" or "));
        }
        let mut element = Element::new(Kind::Service, format!("service:{}", service.name), &*service.name)
            .saying(about, "container");
        element.deployed = vec![Deployed { service: service.name.clone(), replicas: service.replicas }];
        drawn.elements.push(element);
    }
    let left = [Kind::Processor, Kind::Projector, Kind::Gateway].into_iter().filter(|kind| {
        let of_kind = drawn.elements.iter().filter(|it| it.kind == *kind);
        of_kind.clone().count() > 0 && of_kind.clone().all(|it| it.deployed.is_empty())
    });
    let left: Vec<String> = left.map(|kind| format!("{kind:?}").to_lowercase()).collect();
    if !left.is_empty() {
        let roles = left.join(", ");
        drawn.notes.push(format!("no service of {} runs these roles: {roles}", file.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
x-role: &role
  image: millrace:local
services:
  kafka: {image: 'apache/kafka:1', scale: 3}
  one:
    <<: *role
    command: [processor, --state-dir, /state, chirp]
    deploy: {replicas: \"${COUNT:-4}\"}
  two:
    <<: *role
    entrypoint: /usr/bin/millrace
    command: projector --state-dir=/state chirp.users
  three: {<<: *role, command: [gateway, --listen, \"0.0.0.0:1\"], profiles: [web]}
";

    fn role(kind: Kind, context: &str, id: &str) -> Element {
        Element::new(kind, id, "x").of(context)
    }

    #[test]
    fn services_say_what_they_run_and_how_many_of_them() {
        let services = services(FILE).unwrap();
        let by_name = |name: &str| services.iter().find(|it| it.name == name).unwrap();
        assert_eq!((by_name("kafka").replicas, by_name("one").replicas, by_name("two").replicas), (3, 4, 1));
        assert!(by_name("one").runs(&role(Kind::Processor, "chirp", "processor:chirp")));
        assert!(by_name("one").runs(&role(Kind::Policy, "chirp", "policy:chirp.identity")));
        assert!(!by_name("one").runs(&role(Kind::Processor, "orders", "processor:orders")));
        assert!(!by_name("one").runs(&role(Kind::Projector, "chirp", "projector:chirp.users")));
        assert!(by_name("two").runs(&role(Kind::Projector, "chirp", "projector:chirp.users")));
        assert!(!by_name("two").runs(&role(Kind::Projector, "chirp", "projector:chirp.timelines")));
        assert!(by_name("three").runs(&Element::new(Kind::Gateway, "gateway", "Gateway")));
        assert_eq!(by_name("three").profiles, ["web"]);
        assert_eq!(by_name("kafka").role(), None);
    }

    #[test]
    fn what_is_no_compose_file_is_called_so() {
        assert!(services("a: b").unwrap_err().contains("no services"));
        assert!(services("- 1").unwrap_err().contains("no services"));
        assert!(services("services: [").unwrap_err().contains("line "));
    }
}
