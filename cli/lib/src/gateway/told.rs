//! Server-sent events, line by line (the HTML standard, section 9.2.6).

/// What is being told.
#[derive(Debug, Default)]
pub struct Told {
    name: String,
    data: Vec<String>,
    /// The token behind the event. It counts once the whole event is there: one that was cut off is told again.
    id: Option<String>,
}

impl Told {
    /// Takes a line. A whole event, its name and its data, once its last line has come; `token` is the last one that was told.
    pub fn line(&mut self, line: &str, token: &mut Option<String>) -> Option<(String, String)> {
        if line.is_empty() {
            if let Some(id) = self.id.take() {
                *token = Some(id);
            }
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (!data.is_empty()).then(|| (name, data.join("\n")));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push(value.to_owned()),
            "id" => self.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_browsers_read_them() {
        let (mut told, mut token) = (Told::default(), None);
        let text =
            "retry: 500\n\nevent: change\nid: T1\ndata: {\"a\":1}\n\n: here\n\nid: T2\n\ndata: 1\ndata:2\n\n";
        let events: Vec<_> = text.lines().filter_map(|line| told.line(line, &mut token)).collect();
        let event = |name: &str, data: &str| (name.to_owned(), data.to_owned());
        assert_eq!(events, [event("change", "{\"a\":1}"), event("", "1\n2")]);
        assert_eq!(token.as_deref(), Some("T2"));
    }

    #[test]
    fn the_token_of_an_event_that_was_cut_off_is_none() {
        let (mut told, mut token) = (Told::default(), Some("T1".to_owned()));
        for line in ["event: change", "id: T2", "data: {}"] {
            assert_eq!(told.line(line, &mut token), None);
            assert_eq!(token.as_deref(), Some("T1"));
        }
        assert!(told.line("", &mut token).is_some());
        assert_eq!(token.as_deref(), Some("T2"));
    }
}
