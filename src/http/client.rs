//! One request at a time, each with an end: a server that does not answer costs the timeout and nothing more.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, ProxyProtocol};

use super::{Address, Headers, is_seen};
use crate::error::{Error, ErrorKind, Result};
use crate::run::{Interrupt, start_lone_thread};

/// The longest wait for a connection, the look-up of the name not counted; a part of the whole timeout.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest wait for the body of an answer: what it says is of less use than its status.
const ANSWER_BODY: Duration = Duration::from_secs(5);
/// How much of an answer is read.
const ANSWER_BYTES: u64 = 16 << 10;
/// How many characters of it are kept.
const ANSWER_CHARACTERS: usize = 200;
/// Where the environment names a proxy, in order.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
/// How often a wait looks whether the run is to stop.
const STEP: Duration = Duration::from_millis(50);
/// How long an answer is waited for once the run is to stop: without it nobody knows whether the server took the request.
const GRACE: Duration = Duration::from_secs(1);

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The beginning of its body in one line, without secrets.
    pub text: String,
    /// The host that it says to ask instead, where it says so.
    pub location_host: Option<String>,
}

/// That there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// Why.
    pub reason: String,
    /// Whether it may be otherwise a little later.
    pub may_pass: bool,
}

/// Sends to one address.
pub struct Client {
    agent: Agent,
    headers: Arc<Headers>,
    /// The host of the proxy that requests go through.
    proxy: Option<String>,
}

impl Client {
    /// A client for an address. A whole request, from looking up the name to the end of the answer, takes no longer than
    /// `timeout`.
    ///
    /// Redirects are not followed, since headers are for this server alone. The certificates that the system trusts
    /// count, those of `SSL_CERT_FILE` and `SSL_CERT_DIR` instead where these are set, and where the system has none,
    /// Mozilla's list as of this program. A proxy is the one of `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY`, but for hosts
    /// of `NO_PROXY` and this machine.
    ///
    /// # Errors
    /// `Usage` where these variables name a SOCKS proxy, or nothing that can be used.
    pub fn new(address: &Address, headers: Headers, timeout: Duration) -> Result<Self> {
        let proxy = proxy(address)?;
        let through = proxy.as_ref().filter(|proxy| !address.is_exempt(proxy));
        let through = through.map(|proxy| proxy.host().to_owned());
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(address.is_https())
            .user_agent(concat!("parklite/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(CONNECT)))
            .timeout_recv_body(Some(timeout.min(ANSWER_BODY)));
        if address.is_https() {
            config = config.tls_config(TlsConfig::builder().root_certs(trusted()?).build());
        }
        Ok(Self { agent: config.build().new_agent(), headers: Arc::new(headers), proxy: through })
    }

    /// Sends a JSON body to an address of this client's server, and waits for what it says.
    ///
    /// # Errors
    /// `Interrupted`: whether the server took it is not known then; `Failed` where no thread can be started.
    pub fn post_json(
        &self,
        address: String,
        body: String,
        interrupt: &Interrupt,
    ) -> Result<std::result::Result<Answer, Unreached>> {
        let (agent, headers) = (self.agent.clone(), Arc::clone(&self.headers));
        let (sender, receiver) = channel();
        // Nothing interrupts a look-up of a name or a handshake: they are waited for here and done elsewhere.
        start_lone_thread(move || {
            // Nobody is left to be told where the run was interrupted.
            let _ = sender.send(post(&agent, &headers, &address, &body));
        })?;
        let answer = wait_for(&receiver, interrupt)?;
        Ok(answer.map_err(|unreached| match &self.proxy {
            Some(proxy) => {
                let reason = format!("{} (by way of the proxy {proxy})", unreached.reason);
                Unreached { reason, ..unreached }
            }
            None => unreached,
        }))
    }
}

/// What comes out of the other thread.
fn wait_for<T>(receiver: &Receiver<T>, interrupt: &Interrupt) -> Result<T> {
    loop {
        let is_last = interrupt.is_set();
        match receiver.recv_timeout(if is_last { GRACE } else { STEP }) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) if is_last => interrupt.check()?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new(ErrorKind::Failed, "the thread of a request ended without an answer"));
            }
        }
    }
}

fn post(
    agent: &Agent,
    headers: &Headers,
    address: &str,
    body: &str,
) -> std::result::Result<Answer, Unreached> {
    let mut request = agent.post(address).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers.fields() {
        request = request.header(name, value);
    }
    match request.send(body) {
        Ok(response) => Ok(answer(response, headers)),
        Err(error) => {
            let (reason, may_pass) = told(&error);
            Err(Unreached { reason: shortened(&headers.hidden_in(&reason, false)), may_pass })
        }
    }
}

/// What is kept of an answer. Its status came whole; a body that breaks off or does not end is as long as it got.
fn answer(mut response: Response<Body>, headers: &Headers) -> Answer {
    let mut bytes = Vec::new();
    let mut reader = response.body_mut().as_reader().take(ANSWER_BYTES);
    let mut buffer = [0; 4096];
    let mut last = reader.read(&mut buffer);
    while let Ok(count @ 1..) = last {
        bytes.extend_from_slice(&buffer[..count]);
        last = reader.read(&mut buffer);
    }
    let is_cut = last.is_err() || bytes.len() as u64 == ANSWER_BYTES;
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    // Taken out before it is cut: a part of a secret would not be known again.
    let location = location.map(|location| headers.hidden_in(location, false));
    let host = location.as_deref().and_then(|location| {
        let (_, rest) = location.split_once("//")?;
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        authority.rsplit('@').next()
    });
    Answer {
        status: response.status().as_u16(),
        text: shortened(&headers.hidden_in(&String::from_utf8_lossy(&bytes), is_cut)),
        location_host: host.map(shortened),
    }
}

/// The beginning of a text in one line, without control characters.
fn shortened(text: &str) -> String {
    let words = text.split(|character: char| !is_seen(character));
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(ANSWER_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Why there was no answer, and whether that may pass.
fn told(error: &ureq::Error) -> (String, bool) {
    match error {
        ureq::Error::Timeout(_) => ("it did not answer in time".to_owned(), true),
        ureq::Error::HostNotFound => ("its name is not known".to_owned(), true),
        // What rustls finds wrong with a certificate comes as this kind.
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => untrusted(error),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            ("connection refused".to_owned(), true)
        }
        ureq::Error::Io(error) => (error.to_string(), true),
        ureq::Error::Rustls(error) => untrusted(error),
        ureq::Error::Tls(error) => untrusted(error),
        other => (other.to_string(), true),
    }
}

/// A certificate is as little trusted a little later.
fn untrusted(error: &impl std::fmt::Display) -> (String, bool) {
    let error = error.to_string();
    let own = if error.contains("UnknownIssuer") { "; SSL_CERT_FILE names a CA of your own" } else { "" };
    (format!("no trusted connection to it: {error}{own}"), false)
}

/// The proxy that the environment names.
fn proxy(address: &Address) -> Result<Option<Proxy>> {
    if address.is_loopback() {
        return Ok(None);
    }
    let proxy = Proxy::try_from_env();
    if proxy.is_none() {
        // Never its value, which may have a password in it.
        if let Some(name) =
            PROXIES.into_iter().find(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()))
        {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the variable {name} names no proxy that can be used"),
            )
            .hint("write it like http://proxy.example:3128, or unset it to send without a proxy"));
        }
    }
    let is_http = |proxy: &Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    if proxy.as_ref().is_some_and(|proxy| !is_http(proxy)) {
        return Err(Error::new(
            ErrorKind::Usage,
            "the environment names a SOCKS proxy, which is not supported",
        )
        .hint("name an HTTP proxy in HTTPS_PROXY, or unset ALL_PROXY"));
    }
    Ok(proxy)
}

/// What certificates are trusted: those of a company are among the system's.
fn trusted() -> Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        // Whoever names certificates wants no others.
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
        return match ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().find(|name| is_set(name)) {
            Some(name) => Err(Error::new(
                ErrorKind::Usage,
                format!("no certificate is where the variable {name} says"),
            )
            .hint(
                "name a file (SSL_CERT_FILE) or a folder (SSL_CERT_DIR) of certificates in PEM, or unset it",
            )),
            None => Ok(RootCerts::WebPki),
        };
    }
    Ok(found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_one_short_line() {
        assert_eq!(shortened("  a\r\n\tb\u{1b}[31m\0c  "), "a b [31m c");
        let long = "é".repeat(300);
        assert_eq!(shortened(&long).chars().count(), ANSWER_CHARACTERS + 1);
        assert_eq!(shortened(""), "");
        assert_eq!(shortened("a\u{202e}b \u{200b} c\u{feff}"), "a b c");
    }

    #[test]
    fn an_answer_that_is_there_counts_though_the_run_is_to_stop() {
        let interrupt = Interrupt::new();
        interrupt.set();
        let (sender, receiver) = channel();
        sender.send(7).expect("it is listened to");
        assert_eq!(wait_for(&receiver, &interrupt).expect("an answer"), 7);
        drop(sender);
        assert_eq!(wait_for(&receiver, &Interrupt::new()).expect_err("no answer").kind(), ErrorKind::Failed);
        let (sender, receiver) = channel::<u8>();
        assert_eq!(wait_for(&receiver, &interrupt).expect_err("no answer").kind(), ErrorKind::Interrupted);
        drop(sender);
    }
}
