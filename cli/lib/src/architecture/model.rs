//! What is drawn: elements and the edges between them, each declared, seen, or both.

use serde::Serialize;

use super::seen::BehindBy;

/// Raised when a member of the JSON comes to mean something else; members that are added do not count.
pub const FORMAT: u32 = 1;

/// The system as it is declared and as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Architecture {
    /// The version of this form.
    pub format: u32,
    /// What it is drawn from.
    pub sources: Sources,
    /// The bounded contexts, in the order of the binary.
    pub contexts: Vec<String>,
    /// Everything there is, in the order in which it is best read.
    pub elements: Vec<Element>,
    /// Where data goes, from the one to the other.
    pub edges: Vec<Edge>,
    /// What could not be seen, or is left out, in words.
    pub notes: Vec<String>,
}

/// What a picture is drawn from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sources {
    /// The compose file, if one was read.
    pub compose: Option<String>,
    /// The brokers that were asked, if they answered.
    pub observed: Option<String>,
    /// Over how many seconds rates were taken; none after a single look.
    pub window_seconds: Option<f64>,
    /// Why nothing was observed.
    pub not_observed: Option<String>,
}

/// Of what kind an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody outside: people and programs.
    Caller,
    /// The HTTP gateway.
    Gateway,
    /// Decides the commands of a context.
    Processor,
    /// Turns another context's events into steps of its own.
    Policy,
    /// Fills the tables of a view family.
    Projector,
    /// A topic.
    Topic,
    /// The tables of a view family.
    Tables,
    /// A consumer group that nobody has declared.
    Stranger,
    /// A service beside the system's own, such as the broker.
    Service,
}

/// Whether something is declared, and whether it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Declared; whether it is there was not looked for, or cannot be seen.
    #[default]
    Declared,
    /// Declared and there.
    Live,
    /// Declared, looked for and not there.
    Silent,
    /// There, and nobody has declared it.
    Undeclared,
    /// It was there, nobody has declared it, and it has left something behind.
    Gone,
}

impl Standing {
    /// In words; nothing where there is nothing to say.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Declared | Self::Live => "",
            Self::Silent => "SILENT",
            Self::Undeclared => "UNDECLARED",
            Self::Gone => "undeclared, gone",
        }
    }

    /// Whether somebody has declared it.
    #[must_use]
    pub fn is_declared(self) -> bool {
        !matches!(self, Self::Undeclared | Self::Gone)
    }
}

/// A box of the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Element {
    /// Names it among all; the same from one look to the next.
    pub id: String,
    /// Of what kind it is.
    pub kind: Kind,
    /// The bounded context that it belongs to, if to one.
    pub context: Option<String>,
    /// What it is called there.
    pub name: String,
    /// What it does, in words.
    pub about: String,
    /// What it is made with.
    pub technology: &'static str,
    /// Whether it is declared and there.
    pub standing: Standing,
    /// Its consumer group, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The full name of a topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// How many partitions a topic has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// The tables of a family, or the types of events that a policy reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Its running instances, as far as they are seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Instance>,
    /// How many instances were seen; more than are listed, where there are very many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_count: Option<usize>,
    /// Services of the compose file that run it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployed: Vec<Deployed>,
    /// Records a second that came into a topic, markers of transactions included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<f64>,
}

impl Element {
    /// A declared one that nothing more is known of.
    #[must_use]
    pub fn new(kind: Kind, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            context: None,
            name: name.into(),
            about: String::new(),
            technology: "",
            standing: Standing::Declared,
            group: None,
            topic: None,
            partitions: None,
            parts: Vec::new(),
            instances: Vec::new(),
            instance_count: None,
            deployed: Vec::new(),
            records_per_second: None,
        }
    }

    /// The same, in a context.
    #[must_use]
    pub fn of(mut self, context: &str) -> Self {
        self.context = Some(context.to_owned());
        self
    }

    /// The same, with what it does and what it is made with.
    #[must_use]
    pub fn saying(mut self, about: impl Into<String>, technology: &'static str) -> Self {
        self.about = about.into();
        self.technology = technology;
        self
    }
}

/// A process that plays a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Instance {
    /// What it is called: a member of a group, or the address where it answers.
    pub name: String,
    /// What its client calls itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// Where it connects from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// How many partitions it holds, of all topics together.
    pub partitions: usize,
}

/// A service of the compose file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// Its name there.
    pub service: String,
    /// How many of it are started.
    pub replicas: u32,
}

/// What goes along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Requests over HTTP.
    Asks,
    /// Commands.
    Sends,
    /// Records of a topic, to whoever reads them in a consumer group.
    Reads,
    /// Records of a topic, to whoever reads them without one.
    Follows,
    /// Whether aggregates exist.
    LooksUp,
    /// Records into a topic.
    Writes,
    /// Rows into tables.
    Fills,
    /// Rows out of tables.
    Queries,
}

impl EdgeKind {
    /// In words, from where the data comes to where it goes.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Asks => "asks",
            Self::Sends => "sends commands",
            Self::Reads => "is read by",
            Self::Follows => "is followed by",
            Self::LooksUp => "is looked up by",
            Self::Writes => "writes",
            Self::Fills => "fills",
            Self::Queries => "is queried by",
        }
    }
}

/// An arrow of the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// The element where data comes from.
    pub from: String,
    /// The element where it goes.
    pub to: String,
    /// What goes along it.
    pub kind: EdgeKind,
    /// More of it, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Whether somebody has declared it.
    pub declared: bool,
    /// Whether it was seen; absent where it was not looked for, or cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<bool>,
    /// Records a second, markers of transactions included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<f64>,
    /// How much of what is there is still to be read.
    #[serde(flatten)]
    pub behind: Option<BehindBy>,
}

impl Edge {
    /// A declared one.
    #[must_use]
    pub fn new(kind: EdgeKind, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            kind,
            about: String::new(),
            declared: true,
            observed: None,
            records_per_second: None,
            behind: None,
        }
    }

    /// Whether it is declared, and seen.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.declared, self.observed) {
            (true, None) => Standing::Declared,
            (true, Some(true)) => Standing::Live,
            (true, Some(false)) => Standing::Silent,
            (false, Some(false)) => Standing::Gone,
            (false, _) => Standing::Undeclared,
        }
    }
}

impl Architecture {
    /// The element of this id.
    #[must_use]
    pub fn element(&self, id: &str) -> Option<&Element> {
        self.elements.iter().find(|it| it.id == id)
    }

    /// One context alone, with all that its elements exchange something with.
    #[must_use]
    pub fn narrowed(&self, context: &str) -> Self {
        let is_inside =
            |id: &str| self.element(id).is_some_and(|element| element.context.as_deref() == Some(context));
        let edges: Vec<Edge> =
            self.edges.iter().filter(|edge| is_inside(&edge.from) || is_inside(&edge.to)).cloned().collect();
        let is_touched = |id: &str| edges.iter().any(|edge| edge.from == id || edge.to == id);
        let elements: Vec<Element> =
            self.elements.iter().filter(|it| is_inside(&it.id) || is_touched(&it.id)).cloned().collect();
        let has = |name: &&String| elements.iter().any(|it| it.context.as_ref() == Some(*name));
        let contexts = self.contexts.iter().filter(has).cloned().collect();
        Self { contexts, elements, edges, ..self.clone() }
    }
}
