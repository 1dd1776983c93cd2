//! "Did you mean …?": the nearest of several names.

/// The longest text that may be a mistyped name, in bytes.
const LONGEST: usize = 256;

/// The name that a mistyped one most likely stands for, if any is near enough.
#[must_use]
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // no name is nearly so long; comparing takes a time that grows with the product of both
    if given.len() > LONGEST {
        return None;
    }
    let lower = given.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        // one slip of the finger is likely even where it changes most of a short name
        .filter(|(likeness, name)| {
            *likeness >= 0.8 || strsim::damerau_levenshtein(&lower, &name.to_lowercase()) <= 1
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// `; did you mean X?`, or nothing.
#[must_use]
pub fn suggestion<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, names).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["PostChirp", "RegisterUser", "FollowUser"];
        assert_eq!(nearest("postchrip", names), Some("PostChirp"));
        assert_eq!(nearest("Folow", names), Some("FollowUser"));
        assert_eq!(nearest("sae", ["air", "sea"]), Some("sea"));
        assert_eq!(nearest("ZZZ", names), None);
        assert_eq!(nearest(&"PostChirp".repeat(1 << 20), names), None);
    }
}
