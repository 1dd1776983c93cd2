//! Measures the package of Rust beside apache-avro, on the commands and events of the vectors: nanoseconds a message, as JSON.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_sdk::{Messages, decode_command, decode_event, encode_command, encode_event};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 7;

type Any = Box<dyn Error>;
/// Does one thing with every message of a topic.
type Work<'a> = Box<dyn Fn() + 'a>;

/// What is measured: by operation and by whose code.
struct Topic<'a> {
    count: usize,
    work: [Work<'a>; 4],
}

const NAMES: [&str; 4] = ["decode millrace", "decode peer", "encode millrace", "encode peer"];

fn main() -> Result<(), Any> {
    let folder = std::env::args().nth(1).ok_or("usage: millrace-bench-sdk sdk/vectors")?;
    let mut all: Vec<Topic<'static>> = Vec::new();
    macro_rules! add {
        ($domain:ident, $command:ident, $event:ident) => {{
            use millrace_sdk::$domain::{$command, $event};
            let file: Value =
                serde_json::from_str(&fs::read_to_string(format!("{folder}/{}.json", stringify!($domain)))?)?;
            all.push(topic(
                bodies(&file, $command::TOPIC.name),
                $command::TOPIC.schema,
                |body| decode_command::<$command>(body).expect("a vector"),
                |command| encode_command(command),
            )?);
            all.push(topic(
                bodies(&file, $event::TOPIC.name),
                $event::TOPIC.schema,
                |body| decode_event::<$event>(body).expect("a vector"),
                |event| encode_event(event),
            )?);
        }};
    }
    millrace_sdk::for_each_domain!(add);
    let messages: usize = all.iter().map(|it| it.count).sum();
    let mut rounds: [Vec<f64>; 4] = Default::default();
    // one after the other, again and again: what disturbs the machine disturbs all of them
    for _ in 0..ROUNDS {
        for (which, times) in rounds.iter_mut().enumerate() {
            let (begun, mut passes) = (spent(), 0_u32);
            while spent() - begun < ROUND {
                all.iter().for_each(|it| it.work[which]());
                passes += 1;
            }
            times.push((spent() - begun).as_nanos() as f64 / f64::from(passes) / messages as f64);
        }
    }
    let medians = NAMES.iter().zip(&mut rounds).map(|(name, times)| {
        times.sort_by(f64::total_cmp);
        ((*name).to_owned(), json!(times[ROUNDS / 2]))
    });
    println!("{}", Value::Object(medians.collect()));
    Ok(())
}

/// What this process has had of the processor: others on the machine are not measured.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn bodies(file: &Value, topic: &str) -> Vec<Vec<u8>> {
    let vectors = file["vectors"].as_array().into_iter().flatten();
    let own = vectors.filter(|vector| vector["topic"] == topic);
    own.map(|vector| {
        let digits = vector["bytes"].as_str().unwrap_or_default();
        (0..digits.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
            .collect()
    })
    .collect()
}

fn topic<M: 'static>(
    bodies: Vec<Vec<u8>>,
    schema: &str,
    decode: impl Fn(&[u8]) -> M + Copy + 'static,
    encode: impl Fn(&M) -> Vec<u8> + 'static,
) -> Result<Topic<'static>, Any> {
    // a benchmark runs once: what its closures borrow lives as long as it does
    let schema: &'static Schema = Box::leak(Box::new(Schema::parse_str(schema)?));
    let bodies: &'static [Vec<u8>] = Vec::leak(bodies);
    let own: Vec<M> = bodies.iter().map(|body| decode(body)).collect();
    let reader = GenericDatumReader::builder(schema).build()?;
    let writer = GenericDatumWriter::builder(schema).build()?;
    let peers = bodies.iter().map(|body| reader.read_value(&mut &body[..])).collect::<Result<Vec<_>, _>>()?;
    Ok(Topic {
        count: bodies.len(),
        work: [
            Box::new(move || bodies.iter().for_each(|body| drop(black_box(decode(body))))),
            Box::new(move || {
                bodies.iter().for_each(|body| drop(black_box(reader.read_value(&mut &body[..]))))
            }),
            Box::new(move || own.iter().for_each(|it| drop(black_box(encode(it))))),
            Box::new(move || {
                for it in &peers {
                    let mut written = Vec::new();
                    drop(black_box(writer.write_value_ref(&mut written, it)));
                    black_box(written);
                }
            }),
        ],
    })
}
