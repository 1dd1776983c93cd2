//! A gateway beside a system.

use std::fs;

use millrace_services::{Port, free_port, wait_until};

use crate::{Http, Process, SOON, System, millrace};

/// A `millrace gateway` on a port of its own.
#[derive(Debug)]
pub struct Gateway {
    /// The process.
    pub process: Process,
    port: Port,
}

impl Gateway {
    /// Starts one, and waits until it answers commands.
    pub fn start(system: &dyn System, name: &str) -> Self {
        let gateway = Self::launch(system, name);
        gateway.await_ready();
        gateway
    }

    /// Starts one.
    pub fn launch(system: &dyn System, name: &str) -> Self {
        let dir = system.dir().join(name);
        fs::create_dir_all(&dir).expect("a folder in its folder");
        let (port, health) = (free_port().expect("a port"), free_port().expect("a port"));
        let listen = format!("127.0.0.1:{}", port.number());
        let mut arguments = vec!["gateway".to_owned(), "--listen".to_owned(), listen];
        arguments.extend(system.cli().flags().iter().cloned());
        arguments.extend(["--health-port".to_owned(), health.number().to_string()]);
        let process = Process::start(name, &dir, millrace(), arguments).serving(health);
        Self { process, port }
    }

    /// Waits until all is well with it.
    pub fn await_ready(&self) {
        let is_ready = || {
            let mut health = Http::at(&self.process.health_address());
            let answer = health.ask("GET", "/ready", &[], "");
            answer.is_ok_and(|answer| answer.status == 200 && !answer.body.contains("impaired"))
        };
        wait_until(SOON, "a gateway that answers commands", is_ready)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.process.tail()));
    }

    /// Where it is, `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Somebody who speaks to it.
    pub fn http(&self) -> Http {
        Http::at(&self.address())
    }
}
