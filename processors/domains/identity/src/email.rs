//! An address in the one form in which addresses are compared, so that two spellings of one are one claim.
//!
//! The part before the `@` is normalised (NFKC), folded (full case folding) and normalised again; the domain is written
//! in ASCII (IDNA, UTS 46). What a newer version of Unicode could come to treat in another way is refused: a code point
//! without a meaning so far, one for private use, a control character. So no claim is ever called by another name.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Rejections, Violation};

/// What the part before the `@` may not hold: it has a meaning of its own in a letter's head.
const SPECIAL: &str = "\"(),:;<>@[\\]";

/// Why an address is none. No reason repeats the address.
const NO_ADDRESS: &str = "email is no address; write one such as ann@example.org";
const NO_DOMAIN: &str =
    "what stands behind the @ of email is no domain; write an address such as ann@example.org";
const NO_TEXT: &str = "email holds a character that has no meaning in Unicode yet, is for private use or controls \
                       something; write the address without it";

/// The form of `address` in which it is compared with others.
///
/// # Errors
/// Why it is no address, for a person.
pub fn canonical(address: &str) -> Result<String, &'static str> {
    if !address.chars().all(has_meaning) {
        return Err(NO_TEXT);
    }
    let (local, domain) = address.rsplit_once('@').ok_or(NO_ADDRESS)?;
    let local = folded(local);
    if local.is_empty() || local.chars().any(|it| it.is_whitespace() || SPECIAL.contains(it)) {
        return Err(NO_ADDRESS);
    }
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    ascii.map(|domain| format!("{local}@{domain}")).map_err(|_| NO_DOMAIN)
}

/// As [`canonical`], as a rule of a command.
pub(crate) fn well_formed(rejections: &mut Rejections, email: &str) -> Option<String> {
    match canonical(email) {
        Ok(address) => Some(address),
        Err(why) => {
            rejections.push(Violation::on(INVALID_ARGUMENT, "email", why));
            None
        }
    }
}

fn folded(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let normalised = nfkc.normalize(text);
    let folded = CaseMapper::new().fold_string(&normalised);
    nfkc.normalize(&folded).into_owned()
}

/// Neither is what nobody sees, by which one address would look like another.
fn has_meaning(character: char) -> bool {
    let is_unseen = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || CodePointSetData::new::<BidiControl>().contains(character);
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    !is_unseen
        && !matches!(
            category,
            GeneralCategory::Unassigned | GeneralCategory::PrivateUse | GeneralCategory::Control
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for (address, expected) in [
            ("ann@example.org", "ann@example.org"),
            ("Ann@EXAMPLE.org", "ann@example.org"),
            // full case folding: more than lower case
            ("STRASSE@x.org", "strasse@x.org"),
            ("straße@x.org", "strasse@x.org"),
            ("STRAẞE@x.org", "strasse@x.org"),
            ("ΣΊΣΥΦΟΣ@x.org", "σίσυφοσ@x.org"),
            ("σίσυφος@x.org", "σίσυφοσ@x.org"),
            ("ﬀ@x.org", "ff@x.org"),
            // not that of Turkish: whoever reads the mail is not asked where they live
            ("I@x.org", "i@x.org"),
            ("İ@x.org", "i\u{307}@x.org"),
            // compositions and compatibility
            ("e\u{301}@x.org", "é@x.org"),
            ("É@x.org", "é@x.org"),
            ("Ａｎｎ@x.org", "ann@x.org"),
            // folding takes these apart
            ("\u{1f0}@x.org", "\u{1f0}@x.org"),
            ("J\u{30c}@x.org", "\u{1f0}@x.org"),
            ("ℌ①@x.org", "h1@x.org"),
            ("ᾳ\u{301}@x.org", "άι@x.org"),
            // what belongs to an address stays
            ("ann+shop@x.org", "ann+shop@x.org"),
            ("a.n.n@x.org", "a.n.n@x.org"),
            ("ann@localhost", "ann@localhost"),
            // domains
            ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
            ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ann@bu\u{308}cher.example", "ann@xn--bcher-kva.example"),
            // other than before the @, ß is a letter of its own there
            ("ann@straße.example", "ann@xn--strae-oqa.example"),
            ("ann@strasse.example", "ann@strasse.example"),
            ("ann@x。org", "ann@x.org"),
            ("ann@１.example", "ann@1.example"),
        ] {
            assert_eq!(canonical(address).as_deref(), Ok(expected), "{address}");
            assert_eq!(canonical(expected).as_deref(), Ok(expected), "what is in its form stays as it is");
        }
    }

    #[test]
    fn what_is_no_address_or_could_change_is_refused() {
        let long_label = format!("ann@{}.org", "a".repeat(64));
        for (address, why) in [
            ("", NO_ADDRESS),
            ("ann", NO_ADDRESS),
            ("@x.org", NO_ADDRESS),
            ("a b@x.org", NO_ADDRESS),
            ("a\u{a0}b@x.org", NO_ADDRESS),
            ("\"a\"@x.org", NO_ADDRESS),
            ("a@b@x.org", NO_ADDRESS),
            ("a＠b@x.org", NO_ADDRESS),
            ("Ann <ann@x.org>", NO_ADDRESS),
            ("mailto:ann@x.org", NO_ADDRESS),
            ("ann＠x.org", NO_ADDRESS),
            ("ann@", NO_DOMAIN),
            ("ann@x..org", NO_DOMAIN),
            ("ann@x.org.", NO_DOMAIN),
            ("ann@.org", NO_DOMAIN),
            ("ann@x org", NO_DOMAIN),
            ("ann@x_y.org", NO_DOMAIN),
            ("ann@-x.org", NO_DOMAIN),
            ("ann@[1.2.3.4]", NO_DOMAIN),
            ("ann@xn--a.org", NO_DOMAIN),
            (&long_label, NO_DOMAIN),
            // not assigned, a noncharacter, private use in three planes, controls of both blocks
            ("a\u{378}@x.org", NO_TEXT),
            ("a\u{fdd0}@x.org", NO_TEXT),
            ("a\u{10ffff}@x.org", NO_TEXT),
            ("a\u{e000}@x.org", NO_TEXT),
            ("a\u{f0000}@x.org", NO_TEXT),
            ("a\u{10fffd}@x.org", NO_TEXT),
            ("a\0@x.org", NO_TEXT),
            ("a\n@x.org", NO_TEXT),
            // nobody sees these
            ("a\u{200b}@x.org", NO_TEXT),
            ("a\u{ad}@x.org", NO_TEXT),
            ("\u{feff}a@x.org", NO_TEXT),
            ("a\u{202e}@x.org", NO_TEXT),
            ("a\u{fe0f}@x.org", NO_TEXT),
            ("a\u{9b}@x.org", NO_TEXT),
            ("ann@x\u{378}.org", NO_TEXT),
        ] {
            assert_eq!(canonical(address), Err(why), "{address:?}");
        }
    }
}
