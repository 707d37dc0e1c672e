//! One request to the collector, and what its outcome means.
//!
//! The certificate is checked against `server_name`, never against the address: an operator may
//! move a collector without new certificates. No proxy, no redirect, no system trust store.

use std::error::Error as StdError;
use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use rustls::ClientConfig;
use watchpost_model::Timestamp;
use watchpost_model::query::{Problem, Receipt};

use super::session::Answer;
use super::{Error, Settings};

/// How batches reach a collector.
pub trait Transport: Send {
    /// Sends one packed batch and waits at most `patience` for the answer; with a receipt, the
    /// collector's clock.
    fn send(&mut self, sequence: u64, payload: &[u8], patience: Duration) -> (Answer, Option<Timestamp>);
    /// Goes to the next address.
    fn next_address(&mut self);
    /// The address in use.
    fn address(&self) -> &str;
    /// How many addresses there are.
    fn addresses(&self) -> usize;
}

/// A connection takes no longer than this.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read; ours have some hundred.
const MOST_ANSWER: u64 = 64 * 1024;

/// Batches by HTTPS.
#[derive(Debug)]
pub struct Https {
    tls: ClientConfig,
    server_name: String,
    addresses: Vec<String>,
    at: usize,
    /// Kept while the connection works: it holds the TLS session.
    client: Option<Client>,
}

impl Https {
    /// Ready to connect; nothing is sent yet.
    ///
    /// # Errors
    /// No address, or credentials that can not be used.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        if settings.collector.is_empty() {
            return Err(Error::NoAddress);
        }
        Ok(Self {
            tls: settings.credentials.config()?,
            server_name: settings.server_name.clone(),
            addresses: settings.collector.clone(),
            at: 0,
            client: None,
        })
    }

    fn client(&mut self) -> Result<Client, String> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = client(self.tls.clone(), &self.server_name, self.address())?;
        self.client = Some(client.clone());
        Ok(client)
    }

    fn post(&mut self, payload: &[u8], patience: Duration) -> Result<Response, Answer> {
        let client = self.client().map_err(|why| Answer::Unreachable { why })?;
        client
            .post(url(&self.server_name, self.address(), "/v1/batches"))
            .header("content-type", "application/x-watchpost-batch")
            .timeout(patience)
            .body(payload.to_vec())
            .send()
            .map_err(|error| failure(&error, self.address(), &self.server_name))
    }
}

impl Transport for Https {
    fn send(&mut self, sequence: u64, payload: &[u8], patience: Duration) -> (Answer, Option<Timestamp>) {
        let (answer, now) = match self.post(payload, patience) {
            Ok(response) => judge(response, sequence),
            Err(answer) => (answer, None),
        };
        if matches!(
            answer,
            Answer::Unreachable { .. } | Answer::NotTrusted { .. } | Answer::NotAccepted { .. }
        ) {
            // A new connection asks the resolver again.
            self.client = None;
        }
        (answer, now)
    }

    fn next_address(&mut self) {
        self.at = (self.at + 1) % self.addresses.len().max(1);
        self.client = None;
    }

    fn address(&self) -> &str {
        self.addresses.get(self.at).map_or("", String::as_str)
    }

    fn addresses(&self) -> usize {
        self.addresses.len()
    }
}

/// A client that reaches `address` under the name `server_name`.
///
/// # Errors
/// A sentence for people.
pub fn client(tls: ClientConfig, server_name: &str, address: &str) -> Result<Client, String> {
    let resolved: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|error| {
            format!("could not resolve the collector's address {address} ({error}); check the name")
        })?
        .collect();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .resolve_to_addrs(server_name, &resolved)
        .connect_timeout(CONNECT)
        .user_agent(concat!("watchpost-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("could not set up the HTTPS client: {}", root_cause(&error)))
}

/// The URL of a path at `address` under the name `server_name`.
#[must_use]
pub fn url(server_name: &str, address: &str, path: &str) -> String {
    let port = address.rsplit_once(':').map_or("7443", |(_, port)| port);
    format!("https://{server_name}:{port}{path}")
}

/// What a status and its body mean.
fn judge(response: Response, sequence: u64) -> (Answer, Option<Timestamp>) {
    let status = response.status();
    let after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let body = match body(response) {
        Ok(body) => body,
        Err(why) => return (Answer::Unreachable { why }, None),
    };
    if status.is_success() {
        return match serde_json::from_slice::<Receipt>(&body) {
            Ok(receipt) if receipt.sequence == sequence => (Answer::Acknowledged, Some(receipt.now)),
            Ok(receipt) => {
                let why =
                    format!("the collector answered for batch {} instead of {sequence}", receipt.sequence);
                (Answer::Busy { after: None, why }, None)
            }
            Err(_) => {
                (Answer::Busy { after: None, why: "the collector's answer is not a receipt".into() }, None)
            }
        };
    }
    let why = problem(status, &body);
    let answer = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::NotAccepted {
            why: format!(
                "certificate not accepted by the collector ({why}); enrol again with a new token (watchpost-agent enroll --again)"
            ),
        },
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Answer::Refused { why: format!("the collector refused batch {sequence} for good: {why}") }
        }
        _ => Answer::Busy { after, why: format!("the collector can not take batches now: {why}") },
    };
    (answer, None)
}

/// The body of an answer, bounded.
///
/// # Errors
/// The connection broke; a sentence for people.
pub fn body(response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    match response.take(MOST_ANSWER).read_to_end(&mut body) {
        Ok(_) => Ok(body),
        Err(error) => Err(format!("the connection broke while the collector answered: {error}")),
    }
}

/// What the collector says is wrong, in one bounded line.
#[must_use]
pub fn problem(status: StatusCode, body: &[u8]) -> String {
    let said = serde_json::from_slice::<Problem>(body).map(|problem| problem.error).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
    match said.is_empty() {
        true => format!("status {}", status.as_u16()),
        false => format!("status {}: {said}", status.as_u16()),
    }
}

/// What a request that got no answer means.
#[must_use]
pub fn failure(error: &reqwest::Error, address: &str, server_name: &str) -> Answer {
    use rustls::{CertificateError as Bad, Error as Tls};
    match tls_cause(error) {
        Some(Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })) => {
            let why = format!(
                "the certificate at {address} is not for the name {server_name}; check server_name and the collector's names"
            );
            Answer::NotTrusted { why }
        }
        Some(Tls::InvalidCertificate(
            bad @ (Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. }),
        )) => Answer::NotTrusted {
            why: format!("the certificate at {address} is not valid now ({bad:?}); check both clocks"),
        },
        Some(Tls::InvalidCertificate(_)) => {
            let why = format!(
                "what answers at {address} is not signed by this agent's CA; check the address, or enrol again if the collector was set up anew"
            );
            Answer::NotTrusted { why }
        }
        Some(Tls::AlertReceived(alert)) => Answer::NotAccepted {
            why: format!(
                "certificate not accepted by the collector at {address} ({alert:?}); enrol again with a new token (watchpost-agent enroll --again)"
            ),
        },
        _ => {
            let what = if error.is_timeout() { "no answer in time from" } else { "could not reach" };
            Answer::Unreachable { why: format!("{what} the collector at {address}: {}", root_cause(error)) }
        }
    }
}

fn tls_cause(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error shows its source's source, not what it wraps.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        };
    }
    None
}

fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
