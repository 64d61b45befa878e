//! Random input for whatever reads what people, clients and disks hand over: no panic, no endless
//! loop, no answer that differs the second time. For the router: no 5xx either, and every refusal is
//! an RFC 9457 problem. `cargo xtask fuzz` runs it for longer.
//!
//! It is all here, although most of it is the core's: the core has no use for chance, not even in a
//! manifest.

#![expect(clippy::unwrap_used, reason = "a panic is what a fuzz target fails by")]

mod corpus;
mod definition;
mod driver;
mod expression;
mod journal;
mod mutate;
mod requests;
mod server;

use driver::fuzz;
use requests::Requests;
use server::Server;

#[test]
fn http() {
    let server = Server::start();
    let requests = Requests::of(&server);
    let hoped = ["done", "refused", "unsendable"];
    let look = |text: &str| {
        let word = server.look(text);
        // What is deleted is deployed again, or there is soon nothing left to ask for.
        if text.starts_with("DELETE") {
            requests::deploy(&server);
        }
        word
    };
    fuzz("http", &hoped, |rng| requests.make(rng), look);
    // Whatever was sent, the server is as good as new.
    server.expect("POST /api/v1/workflows/add/execute\nprefer: wait=20\n\n{\"input\": {\"n\": 1}}");
    server.expect("GET /readyz\n\n");
}

#[test]
fn what_was_found_once_is_not_found_again() {
    let server = Server::start();
    for text in ["GET /problems/%FF\n\n", "GET /assets/%FF\n\n", "GET /runs/%FF\n\n"] {
        assert_eq!(server.look(text), "refused", "{text}");
    }
}
