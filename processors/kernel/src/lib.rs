//! Traits and values of the decision core: no async, no I/O, no clock.
