//! Black-box tests of the whole system against real and embedded servers.
