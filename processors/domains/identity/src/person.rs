//! What is known of a person beside the address: rules for a picture and a language.

use icu_locale_core::Locale;
use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Rejections, Violation};
use url::Url;

/// `picture` must be an address of the web, or empty.
pub(crate) fn picture(rejections: &mut Rejections, picture: &str) {
    // a parser of addresses would pass over white space, which then would stand in the page
    let is_one_word = !picture.chars().any(|it| it.is_whitespace() || it.is_control());
    let is_of_web = |url: Url| matches!(url.scheme(), "http" | "https");
    let holds = picture.is_empty() || (is_one_word && Url::parse(picture).is_ok_and(is_of_web));
    rejections.require(holds, || {
        let message =
            "picture is no address of the web; write one such as https://example.org/ann.png, or none";
        Violation::on(INVALID_ARGUMENT, "picture", message)
    });
}

/// `locale` must be a tag of BCP 47, or empty.
pub(crate) fn locale(rejections: &mut Rejections, locale: &str) {
    let holds = locale.is_empty() || (!locale.contains('_') && Locale::try_from_str(locale).is_ok());
    rejections.require(holds, || {
        let message = "locale is no tag of BCP 47; write one such as de-AT, or none";
        Violation::on(INVALID_ARGUMENT, "locale", message)
    });
}
