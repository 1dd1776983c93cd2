//! Chirp, a social network: the bounded context, pure.
