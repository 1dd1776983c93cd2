//! The header by which traces go from process to process; producers write what they like into it.

/// The trace and the span in it that a header names (W3C Trace Context, version 00 and what later ones keep of it), if
/// they are to be recorded.
pub(crate) fn sampled(traceparent: &[u8]) -> Option<(u128, u64)> {
    let text = std::str::from_utf8(traceparent).ok()?.trim();
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_well_formed = version.len() == 2 && version != "ff" && trace.len() == 32 && span.len() == 16;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    if !is_well_formed || flags & 1 == 0 {
        return None;
    }
    let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    (trace != 0 && span != 0).then_some((trace, span))
}
