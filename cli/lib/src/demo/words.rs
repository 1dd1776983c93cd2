//! What the people of the demo are called and what they say.

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
