//! The picture of the system: what is drawn of small systems and of this one, whether the parsers that it is for take it, and
//! what becomes of names that strangers choose.

mod declared;
mod hostile;
mod mermaid;
mod pictures;
mod small;
mod structurizr;
