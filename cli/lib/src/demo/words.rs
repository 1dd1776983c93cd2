//! What the people of the demo are called and what they say, and how that is written for `millrace load`.

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

/// A command as a line of a file to load.
pub fn line(random: &mut StdRng, kind: &str, actor: Option<&str>, data: &Value) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    // an id that the same seed gives again: loading twice changes nothing
    let id: Uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let mut line = json!({"type": kind, "id": id.to_string(), "data": data});
    if let Some(actor) = actor {
        line["metadata"] = json!({"user_id": actor});
    }
    line.to_string()
}

/// Names of people.
pub const NAMES: &[&str] = &[
    "Ada", "Amir", "Anna", "Ayo", "Bela", "Bilal", "Bruno", "Carla", "Chen", "Cleo", "Dana", "Dario", "Dina",
    "Edda", "Elif", "Emil", "Esra", "Femi", "Finn", "Frida", "Gita", "Goran", "Greta", "Hana", "Hugo", "Ida",
    "Imani", "Ivan", "Jana", "Jonas", "Juno", "Kaito", "Karim", "Kira", "Lars", "Leila", "Lena", "Luca",
    "Mads", "Maja", "Mika", "Mina", "Nadia", "Nils", "Nora", "Olga", "Omar", "Oskar", "Paula", "Pavel",
    "Petra", "Quinn", "Rania", "Remi", "Rosa", "Sara", "Sven", "Tara", "Timo", "Uma", "Vera", "Wanda",
    "Yara", "Zoe",
];

/// How a chirp begins.
pub const OPENINGS: &[&str] = &[
    "Just saw",
    "Cannot stop thinking about",
    "Does anyone else love",
    "Spent the whole morning with",
    "Hot take on",
    "Finally understood",
    "Reading about",
    "My neighbour told me about",
    "Thread on",
    "A short note on",
    "Today I learned about",
    "Still not over",
    "Nobody warned me about",
    "Grateful for",
];

/// What it is about.
pub const SUBJECTS: &[&str] = &[
    "the tram that never comes",
    "sourdough at sea level",
    "a heron in the city canal",
    "append-only notebooks",
    "the quiet carriage",
    "bicycle bells",
    "the smell of rain on warm stone",
    "borrowed umbrellas",
    "old maps of this town",
    "second-hand microscopes",
    "the northern lights",
    "a choir in the stairwell",
    "lemon trees on balconies",
    "the last page of a good book",
    "tiny libraries",
    "chess in the park",
    "night trains",
    "a very patient cat",
    "the moon behind the chimneys",
    "soup weather",
];

/// How it ends.
pub const ENDINGS: &[&str] = &[
    "I have questions.",
    "More tomorrow.",
    "Ask me anything.",
    "Worth every minute.",
    "Who is with me?",
    "Send help. Or tea.",
    "10/10.",
    "I did not expect that.",
    "That is all.",
    "Pictures soon.",
    "Highly recommended.",
    "What a day.",
    "Naïve, I know. ☕",
    "Back to work now.",
];
