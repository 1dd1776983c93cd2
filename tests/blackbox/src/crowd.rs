//! Authors, readers who follow all of them, and chirps: many rows of few commands.

use serde_json::{Value, json};

use crate::{Cluster, Foreign, System};

/// Authors and their readers, who are there.
#[derive(Debug)]
pub struct Crowd {
    client: Foreign,
    authors: Vec<String>,
    posted: usize,
}

impl Crowd {
    /// Registers them all, under names that begin with `name`, and has every reader follow every author.
    pub fn gather(cluster: &Cluster, name: &str, authors: usize, readers: usize) -> Self {
        let mut client = Foreign::of(cluster);
        let authors: Vec<String> = (0..authors).map(|number| format!("{name}_{number}")).collect();
        let readers: Vec<String> = (0..readers).map(|number| format!("{name}_reader_{number}")).collect();
        let users: Vec<Value> = authors.iter().chain(&readers).map(|user| registration(user)).collect();
        client.send_all(&users);
        let pairs = authors.iter().flat_map(|author| readers.iter().map(move |reader| (author, reader)));
        let follows: Vec<Value> = pairs.map(|(author, reader)| follow(author, reader)).collect();
        client.send_all(&follows);
        Self { client, authors, posted: 0 }
    }

    /// Each author posts so many chirps of this content; comes back when all are accepted.
    pub fn post(&mut self, each: usize, content: &str) {
        let numbers = self.posted..self.posted + each;
        let places = numbers.flat_map(|number| self.authors.iter().map(move |author| (author, number)));
        let chirps: Vec<Value> = places.map(|(author, number)| chirp(author, number, content)).collect();
        self.client.send_all(&chirps);
        self.posted += each;
    }

    /// Columns of every row of a table.
    pub fn table(&mut self, cluster: &Cluster, table: &str, columns: &[&str]) -> Vec<Value> {
        let [_, address, keyspace] = &cluster.tables()[..] else { panic!("tables on CQL") };
        let ask = json!({
            "op": "table", "address": address, "keyspace": keyspace, "table": table, "columns": columns,
        });
        self.client.ask(&ask)["rows"].as_array().expect("a list").clone()
    }
}

fn registration(user: &str) -> Value {
    json!({"id": user, "type": "RegisterUser", "data": {"user_id": user, "username": user}})
}

fn follow(author: &str, reader: &str) -> Value {
    let data = json!({"follower_id": reader, "followee_id": author});
    json!({"id": format!("{reader}-{author}"), "type": "FollowUser", "data": data})
}

fn chirp(author: &str, number: usize, content: &str) -> Value {
    let data = json!({"chirp_id": format!("c{number}"), "author_id": author, "content": content});
    json!({"id": format!("{author}-c{number}"), "type": "PostChirp", "data": data})
}
