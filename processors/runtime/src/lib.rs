//! The loops: command processor, projector and process manager, on the ports.
