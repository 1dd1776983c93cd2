//! The same network as commands, for `millrace load`.

use std::io::{self, BufWriter, Write};

use crate::graph::{Graph, id};

/// Prints a line for every command: who registers, then, behind a barrier, who follows whom, and
/// behind another `chirps` posts, the more by an author the larger their audience.
pub fn print(people: u32, follows: usize, chirps: u32, seed: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    for person in 0..people {
        let user = id(person);
        let name = user.replace('-', "_");
        writeln!(out, r#"{{"type":"RegisterUser","data":{{"user_id":"{user}","username":"{name}"}}}}"#)?;
    }
    writeln!(out)?;
    out.flush()?;
    let mut graph = Graph::new(people, follows, seed);
    for (reader, author) in &graph.follows {
        let (reader, author) = (id(*reader), id(*author));
        let data = format!(r#"{{"follower_id":"{reader}","followee_id":"{author}"}}"#);
        writeln!(out, r#"{{"type":"FollowUser","data":{data}}}"#)?;
    }
    writeln!(out)?;
    for chirp in 0..chirps {
        let author = id(graph.popular());
        let data = format!(r#"{{"chirp_id":"c-{chirp}","author_id":"{author}","content":"Chirp {chirp}"}}"#);
        writeln!(out, r#"{{"type":"PostChirp","data":{data}}}"#)?;
    }
    out.flush()
}
