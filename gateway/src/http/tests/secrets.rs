//! Secrets of commands, as clients send them.

use millrace_kernel::Sealed;
use millrace_kernel::sealed::is_fingerprint;

use super::*;
use crate::seal::{KeyPair, PrivateKeys, SecretText};

const TOKEN: &str = "hunter2hunter2hunter2";
const DEPOSIT: &str = "/v1/commands/vault/Deposit";
/// Nobody decides anything here.
const ASYNC: &str = "Prefer: respond-async\r\n";

fn plain() -> Json {
    json!({"owner_id": "ann", "sealed_token": {"plaintext": TOKEN}})
}

impl Server {
    async fn for_key(pair: &KeyPair) -> Self {
        Self::sealing(Limits::default(), false, PublicKeys::read(&pair.public_file()).unwrap()).await
    }

    async fn deposit(&self, key: &str, data: &Json) -> String {
        let headers = format!("{ASYNC}Idempotency-Key: {key}\r\n");
        self.post(DEPOSIT, &headers, &json!({"data": data}).to_string()).await
    }

    /// What was sent, as text.
    fn sent(&self) -> Vec<String> {
        let sent = self.sent.0.lock().unwrap();
        sent.iter().map(|record| String::from_utf8(record.value.clone()).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sealed_alike_by_every_gateway_and_on_every_way() {
    let pair = KeyPair::generate();
    let (one, other) = (Server::for_key(&pair).await, Server::for_key(&pair).await);
    for server in [&one, &one, &other] {
        let said = server.deposit("k1", &plain()).await;
        assert!(said.starts_with("HTTP/1.1 202") && !said.contains("hunter2"), "{said}");
    }
    let mut socket = other.socket().await;
    socket.say(&json!({"op": "auth", "token": "x"})).await;
    socket
        .say(&json!({"op": "command", "id": "c", "domain": "vault", "type": "Deposit", "key": "k1", "data": plain(), "wait": 0}))
        .await;
    let outcome = socket.until("outcome").await;
    assert_eq!(outcome["status"], 202, "{outcome}");
    let sent = [one.sent(), other.sent()].concat();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|it| *it == sent[0]), "{sent:?}");

    let data: Json = serde_json::from_str(&sent[0]).unwrap();
    let sealed = Sealed::parse(data["sealed_token"].as_str().unwrap()).unwrap();
    let opened = PrivateKeys::read(&pair.private_file()).unwrap().open(&sealed).unwrap();
    assert_eq!(*opened, TOKEN.as_bytes());
    assert!(is_fingerprint(data["fingerprint"].as_str().unwrap()));
    assert!(!sent[0].contains("hunter2"));

    // another command is another box of the same fingerprint
    one.deposit("k2", &plain()).await;
    let second: Json = serde_json::from_str(one.sent().last().unwrap()).unwrap();
    assert_ne!(second["sealed_token"], data["sealed_token"]);
    assert_eq!(second["fingerprint"], data["fingerprint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_goes_as_it_is_whether_there_is_a_key_or_not() {
    let pair = KeyPair::generate();
    let boxed = pair.public().seal("elsewhere", &SecretText::new(TOKEN.to_owned()).unwrap());
    let data = json!({"owner_id": "ann", "sealed_token": boxed.sealed, "fingerprint": boxed.fingerprint});
    for server in [Server::open().await, Server::for_key(&pair).await] {
        let said = server.deposit("k1", &data).await;
        assert!(said.starts_with("HTTP/1.1 202"), "{said}");
        assert_eq!(serde_json::from_str::<Json>(&server.sent()[0]).unwrap(), data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_box_is_pointed_at_and_not_repeated() {
    let pair = KeyPair::generate();
    let server = Server::for_key(&pair).await;
    let rows = [
        (json!(TOKEN), None, "/data/sealed_token", "no sealed box"),
        (json!({"plaintext": "hunter2"}), None, "/data/sealed_token", "16 to 4048 bytes"),
        (json!({"plaintxt": TOKEN}), None, "/data/sealed_token", "expected a secret"),
        (json!({"plaintext": TOKEN}), Some(json!("x")), "/data/fingerprint", "leave it out"),
    ];
    for (sealed_token, fingerprint, pointer, why) in rows {
        let mut data = json!({"owner_id": "ann", "sealed_token": sealed_token});
        fingerprint.into_iter().for_each(|it| data["fingerprint"] = it);
        let said = server.deposit("k1", &data).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{said}");
        assert!(said.contains(&format!("\"{pointer}\"")) && said.contains(why), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    // as JSON that is cut off within the secret
    let cut = json!({"data": plain()}).to_string();
    let said = server.post(DEPOSIT, "", &cut[..cut.len() - 8]).await;
    assert!(said.starts_with("HTTP/1.1 400") && !said.contains("hunter2"), "{said}");
    assert_eq!(server.sent(), [""; 0], "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_is_sealed_and_nothing_is_sent() {
    let server = Server::open().await;
    let said = server.deposit("k1", &plain()).await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("seal.public_key_file"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(server.sent(), [""; 0]);
    let said = server.get("/v1/keys", "", "seal.public_key_file").await;
    assert!(said.starts_with("HTTP/1.1 404") && said.contains("urn:millrace:problem:unknown"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_told_the_keys_newest_first() {
    let (new, old) = (KeyPair::generate(), KeyPair::generate());
    let keys = PublicKeys::read(&(new.public_file() + &old.public_file())).unwrap();
    let server = Server::sealing(Limits::default(), true, keys).await;
    let said = server.get("/v1/keys", "", "nothing that is ever said").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let body: Json = serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap();
    let told = |pair: &KeyPair| {
        let key = pair.public();
        json!({
            "id": key.id(), "algorithm": "x25519-xsalsa20-poly1305-sealed-box", "public_key": key.to_base64(),
        })
    };
    assert_eq!(body, json!({"keys": [told(&new), told(&old)]}));
}
