//! Text for people: labelled lines that end where the terminal does.

use serde_json::Value as Json;

use crate::foreign;

/// The width where nothing is known of a terminal.
const WIDTH: usize = 100;
/// Beyond this a line is hard to follow.
const WIDEST: usize = 120;

/// Lines under construction.
pub struct Paper {
    width: usize,
    lines: Vec<String>,
}

impl Default for Paper {
    fn default() -> Self {
        Self::new()
    }
}

impl Paper {
    /// As wide as the terminal, within reason.
    pub fn new() -> Self {
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
        Self::of_width(width.clamp(60, WIDEST))
    }

    /// Of so many columns.
    pub fn of_width(width: usize) -> Self {
        Self { width, lines: Vec::new() }
    }

    /// A line as it is, folded where it is too long.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.hang(indent, indent, text);
    }

    /// An item of a list: what is folded stands further in than its beginning.
    pub fn item(&mut self, indent: usize, text: &str) {
        self.hang(indent, indent + 4, text);
    }

    /// An empty line.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// `label  value`, the values of one indent below each other.
    pub fn field(&mut self, indent: usize, label: &str, value: &str) {
        let hang = indent + 12;
        let label = format!("{label:<width$}", width = 12);
        self.hang_after(indent, &label, hang.max(indent + foreign::width(&label)), value);
    }

    /// The fields of an object in one line or more: `a=1 b="x y"`.
    pub fn object(&mut self, indent: usize, label: &str, object: &Json) {
        self.field(indent, label, &plain(object));
    }

    /// All lines, without the last gap.
    pub fn text(mut self) -> String {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self.lines.join("\n")
    }

    fn hang(&mut self, indent: usize, hang: usize, text: &str) {
        self.hang_after(indent, "", hang, text);
    }

    /// Folds at spaces; a word that is longer than a line is cut.
    fn hang_after(&mut self, indent: usize, label: &str, hang: usize, text: &str) {
        let (label, text) = (foreign::inert(label), foreign::inert(text));
        let mut line = format!("{}{label}", " ".repeat(indent));
        let mut width = indent + foreign::width(&label);
        let mut is_fresh = true;
        for mut word in text.split(' ').filter(|word| !word.is_empty()) {
            let mut wide = foreign::width(word);
            if !is_fresh && width + 1 + wide > self.width {
                self.lines.push(std::mem::replace(&mut line, " ".repeat(hang)).trim_end().to_owned());
                width = hang;
                is_fresh = true;
            }
            if !is_fresh {
                line.push(' ');
                width += 1;
            }
            loop {
                let room = self.width.saturating_sub(width).max(8);
                if wide <= room {
                    break;
                }
                let (bytes, taken) = foreign::fitting(word, room);
                line.push_str(&word[..bytes]);
                self.lines.push(std::mem::replace(&mut line, " ".repeat(hang)));
                width = hang;
                (word, wide) = (&word[bytes..], wide - taken);
            }
            width += wide;
            line.push_str(word);
            is_fresh = false;
        }
        self.lines.push(line.trim_end().to_owned());
    }
}

/// A value in one line: an object as `a=1 b="x y"`, texts in quotes only where they need them.
pub fn plain(value: &Json) -> String {
    match value {
        Json::Object(fields) if fields.is_empty() => "nothing".to_owned(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", atom(value))).collect::<Vec<_>>().join(" ")
        }
        other => atom(other),
    }
}

fn atom(value: &Json) -> String {
    match value {
        Json::String(text) if is_word(text) => text.clone(),
        Json::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.:-/@+".contains(c))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_end_where_the_terminal_does() {
        let mut paper = Paper::of_width(40);
        paper.field(2, "data", &"word ".repeat(30));
        paper.field(2, "long", &"x".repeat(100));
        paper.line(0, &"another sentence of many words ".repeat(3));
        let text = paper.text();
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("              word")), "{text}");
        assert_eq!(text.matches("word").count(), 33);
        assert_eq!(text.matches('x').count(), 100, "nothing is left out");
    }

    #[test]
    fn values_are_readable() {
        let value = json!({"id": "c-1", "text": "a b", "n": 7, "none": null, "list": [1, "x"]});
        assert_eq!(plain(&value), r#"id=c-1 text="a b" n=7 none=null list=[1,"x"]"#);
        assert_eq!(plain(&json!(null)), "null");
        assert_eq!(plain(&json!({})), "nothing");
        assert_eq!(plain(&json!({"text": ""})), r#"text="""#);
    }

    #[test]
    fn a_terminal_obeys_nothing_that_is_printed() {
        let mut paper = Paper::of_width(80);
        paper.line(0, "red \x1b[31m");
        assert_eq!(paper.text(), "red \\u{1b}[31m");
    }
}
