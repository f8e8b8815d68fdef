//! A real HTTP server on this machine that answers as a test says, also in the ways that servers fail.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// A request that came whole.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and path, as in the first line.
    pub(crate) line: String,
    /// `name: value`, the name in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Value,
}

/// What the server does with a request.
pub(crate) enum Answer {
    /// Answers with these bytes, and closes.
    Bytes(Vec<u8>),
    /// Begins to answer with these bytes, and breaks the connection.
    Broken(&'static str),
    /// Says nothing until the test is over.
    Silence,
    /// Answers with these bytes, and then goes on with a byte now and then until nobody listens.
    Endless(&'static str),
}

/// An answer with this status line, further headers, and body.
pub(crate) fn status(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
            .into_bytes(),
    )
}

/// That it was taken.
pub(crate) fn taken() -> Answer {
    status("200 OK", "Content-Type: application/json\r\n", r#"{"ok":true}"#)
}

/// A server that ends with this value.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server; `answer` gets the number of each request, from 0, and the request.
    pub(crate) fn start(mut answer: impl FnMut(usize, &Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (requests, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (known, ends) = (Arc::clone(&requests), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let Some(request) = read(&stream) else { continue };
                let number = {
                    let mut known = known.lock().expect("no test failed");
                    known.push(request.clone());
                    known.len() - 1
                };
                match answer(number, &request) {
                    Answer::Bytes(bytes) => drop(stream.write_all(&bytes)),
                    Answer::Broken(bytes) => drop(stream.write_all(bytes.as_bytes())),
                    Answer::Silence => silent.push(stream),
                    Answer::Endless(bytes) => {
                        let mut bytes = bytes.as_bytes();
                        while stream.write_all(bytes).is_ok() && !ends.load(Ordering::Relaxed) {
                            bytes = b"x";
                            std::thread::sleep(Duration::from_millis(2));
                        }
                    }
                }
            }
        });
        Self { address, requests, is_over, thread: Some(thread) }
    }

    /// The address of this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came until now.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test failed").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.first()?.clone();
    let headers: Vec<String> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim()))
        .collect();
    let length = headers.iter().find_map(|header| header.strip_prefix("content-length: "))?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, headers, body: serde_json::from_slice(&body).expect("a body is JSON") })
}
