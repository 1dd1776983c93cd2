//! The currencies there are: ISO 4217.

/// The active alphabetic codes of ISO 4217, in order.
///
/// Source: "List One: Currency, fund and precious metal codes" of the ISO 4217 Maintenance
/// Agency, SIX Group (www.six-group.com/en/products-services/financial-information/data-standards.html),
/// as of January 2026: with XAD, XCG and ZWG, without ANG, BGN, CUC, HRK, SLL and ZWL.
///
/// A constant rather than a library: the codes alone are needed, and what a decision knows
/// must change only by a commit. A code that ISO withdraws one day stays here as long as
/// accounts may be kept in it.
pub const CODES: [&str; 178] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD",
    "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF",
    "CLP", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB",
    "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
    "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW",
    "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT",
    "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD",
    "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD",
    "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS",
    "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS",
    "VED", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XCG",
    "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XTS", "XUA", "XXX", "YER", "ZAR", "ZMW", "ZWG",
];

/// Whether `code` is one of [`CODES`], letter for letter.
#[must_use]
pub fn is_known(code: &str) -> bool {
    CODES.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_can_be_searched_and_look_like_codes() {
        assert!(CODES.is_sorted_by(|a, b| a < b), "in order and each once");
        assert!(CODES.iter().all(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())));
    }

    #[test]
    fn a_code_is_known_letter_for_letter() {
        for known in ["AED", "CHF", "EUR", "JPY", "USD", "XAU", "ZWG"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["", "eur", "EU", "EURO", "EUR ", "€", "BTC", "DEM", "AAA", "ZZZ"] {
            assert!(!is_known(unknown), "{unknown:?}");
        }
    }
}
