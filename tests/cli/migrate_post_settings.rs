//! What `--post` is given besides its inputs: options, a file of headers, and the environment. What cannot be used is refused
//! before anything is done, and never left out without a word.

use std::net::TcpListener;

use crate::http_server::{Server, status, taken};
use crate::migrate_bulk_sync::dump;
use crate::migrate_post::{PATH, assert_no_token, place_with, sent, words};
use crate::place::Place;
use crate::ran::Ran;

const PROXIES: [&str; 7] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY"];

/// Runs it with no setting of the environment but these.
fn run_with(place: &Place, words: &[&str], settings: &[(&str, &str)]) -> Ran {
    let mut command = place.command();
    command.args(["migrate", "a.json", "--into", "new.db"]).args(words);
    for name in PROXIES.iter().chain(&["no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"]) {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied());
    place.finish(command)
}

const ELSEWHERE: [&str; 4] = ["--post", "https://app.example/{program_id}", "--retry-waits", "1ms"];

#[test]
fn a_header_in_the_place_of_its_file_is_refused_and_not_repeated() {
    let place = place_with(1);
    let long = format!("Authorization: Bearer sesame{}", "x".repeat(9000));
    for given in [
        "Authorization: Bearer sesame",
        "authorization:sesame",
        "Bearer sesame",
        "X y: sesame",
        long.as_str(),
    ] {
        let ran = run_with(&place, &[&ELSEWHERE[..], &["--header-file", given]].concat(), &[]);
        ran.fails(2, "--header-file takes a file").hints("write it into a file").changes_nothing();
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    let ran = run_with(&place, &[&ELSEWHERE[..], &["--header-file", "missing"]].concat(), &[]);
    ran.fails(10, "there is no such file of headers").changes_nothing();
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_and_never_passed_over() {
    let place = place_with(1);
    for name in &PROXIES[..6] {
        let ran = run_with(&place, &ELSEWHERE, &[(name, "http://ada:sesame@ho st")]);
        ran.fails(2, &format!("the variable {name} names no proxy that can be used")).changes_nothing();
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let proxy = format!("http://ada:sesame@{}", closed.local_addr().expect("an address"));
    drop(closed);
    let ran = run_with(&place, &ELSEWHERE, &[("HTTPS_PROXY", &proxy)]);
    ran.exits(15).prints("(by way of the proxy 127.0.0.1)");
    assert_no_token(&place, &ran);
    // An empty variable is one that is not set, and this machine is reached without a proxy.
    let server = Server::start(|_, _| taken());
    let url = server.url(PATH);
    run_with(&place, &["--post", &url], &[("ALL_PROXY", ""), ("HTTP_PROXY", "ho st")]).exits(0);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn certificates_that_are_named_and_not_there_are_not_replaced_by_others() {
    let place = place_with(1);
    place.make_folder("empty");
    place.write("empty.pem", "no certificate\n");
    for (name, value) in
        [("SSL_CERT_FILE", "missing.pem"), ("SSL_CERT_FILE", "empty.pem"), ("SSL_CERT_DIR", "empty")]
    {
        let ran = run_with(&place, &ELSEWHERE, &[(name, value)]);
        ran.fails(2, &format!("no certificate is where the variable {name} says")).changes_nothing();
    }
}

#[test]
fn options_that_would_do_nothing_or_never_work_are_refused() {
    let place = place_with(1);
    for words in [
        "migrate a.json --into new.db --post https://app.example/ --post-timeout 0s",
        "migrate a.json --into new.db --post https://app.example:+80/",
        "migrate a.json --into new.db --batch-size 7",
        "migrate a.json --emit console --batch-size 7",
    ] {
        place.run(words).exits(2).changes_nothing();
    }
}

#[test]
fn a_wrong_program_that_was_never_taken_does_not_lock_the_address() {
    let place = place_with(1);
    place.write("b.json", dump("b", &[(1, 1, true)]));
    let server = Server::start(|number, _| match number {
        0 => status("404 Not Found", "", "no such program"),
        _ => taken(),
    });
    let words = format!("migrate a.json b.json --into new.db --post {}", server.url("/progress/a/bulk-sync"));
    place.run(&format!("{words} --program b")).exits(3);
    place.run(&format!("{words} --program a")).exits(0).prints("post: 1 session in 1 batch sent to ");
    let ran = place.run(&words.replace(" b.json", ""));
    ran.fails(2, "the address is of one program").hints("DELETE FROM bulk_sync_queue WHERE ");
    place.execute("new.db", "DELETE FROM bulk_sync_queue WHERE program_id = 'b'");
    place.run(&words.replace(" b.json", "")).exits(0).prints("post: 0 sessions in 0 batches sent to ");
    // What was taken is of the address.
    place.run(&format!("{words} --program b")).fails(2, "the address is of one program");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_dry_run_names_what_no_address_can_name_as_the_run_then_does() {
    let place = place_with(1);
    place.write("b.json", dump("..", &[(1, 1, true), (1, 2, true), (2, 1, true)]));
    let server = Server::start(|_, _| taken());
    let words = words(&server, "b.json --batch-size 2");
    let dry = place.run(&format!("{words} --dry-run"));
    dry.exits(3).changes_nothing().prints("post: 1 session would be sent to ");
    dry.prints("refused: .. 1-1 to 1-2, 2 sessions: the program cannot be part of an address");
    let dry = place.run(&format!("{words} --dry-run --json")).exits(3).document();
    let ran = place.run(&format!("{words} --json")).exits(3).document();
    for name in ["refusals", "batches_refused", "sessions_refused", "sessions_queued"] {
        assert_eq!(dry["post"][name], ran["post"][name], "{name}");
    }
    assert_eq!(sent(&server.requests()), [["a 1-1"]]);
}

#[test]
fn a_token_that_comes_back_in_pieces_is_hidden_too() {
    let place = place_with(1);
    let said =
        "no ses\name.Open/\r\n 42== and\u{202e} sesame\u{200b}.Open/42\u{1b}== and Bearer\tsesame.O pen/42==";
    let server = Server::start(move |_, _| status("401 Unauthorized", "", said));
    let ran = place.run(&words(&server, ""));
    ran.exits(3).prints("401: no [hidden] and [hidden] and [hidden]");
    assert_no_token(&place, &ran);
    let failure = place.ask("new.db", "SELECT failure FROM bulk_sync_queue");
    assert_eq!(failure, "'401: no [hidden] and [hidden] and [hidden]'");
}

#[test]
fn a_queue_with_rules_of_its_own_is_named_where_it_refuses_a_session() {
    let place = place_with(1);
    place.execute(
        "new.db",
        "CREATE TABLE bulk_sync_queue (url TEXT, program_id TEXT, week_number INTEGER, day_number INTEGER, session TEXT,
           sent TEXT, sent_at TEXT, status INTEGER, failure TEXT CHECK (day_number > 7),
           PRIMARY KEY (url, program_id, week_number, day_number))",
    );
    let server = Server::start(|_, _| taken());
    place.run(&words(&server, "")).fails(1, "bulk_sync_queue").changes_nothing();
    assert_eq!(server.requests().len(), 0);
}
