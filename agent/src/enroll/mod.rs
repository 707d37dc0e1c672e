//! Enrolment: a host gets its certificate, once, with a token that an administrator handed over.
//!
//! The token names the SHA-256 of the collector's CA, so the very first connection is already
//! proven: the collector must show a chain that ends in that CA, or the token's secret is never
//! sent. The private key is made here and never leaves the host; the certificate request carries
//! its public half only.

mod pin;
mod token;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use watchpost_model::id::AgentId;
use watchpost_model::query::{Enroll, Enrolled};

pub use token::{BadToken, Token};

use crate::ship::{self, Credentials};
use crate::spool::{read_small, replace_file};

/// The file that says who this host is.
pub const IDENTITY: &str = "identity.json";

/// What enrolling takes.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the identity will lie.
    pub state_dir: PathBuf,
    /// The collector's addresses; the first that answers is used.
    pub collector: Vec<String>,
    /// Name in the collector's certificate.
    pub server_name: String,
    /// The token as the collector printed it.
    pub token: String,
    /// The host's name.
    pub host: String,
    /// Whether an identity that is there may be replaced. The old one stays valid until the
    /// collector revokes it.
    pub again: Again,
}

/// Whether a host that has an identity gets a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// Refuse: two identities of one host are usually a mistake.
    #[default]
    Refuse,
    /// Replace it.
    Replace,
}

/// Who this host is to its collector.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The agent's id.
    pub agent: AgentId,
    /// The collector's addresses.
    pub collector: Vec<String>,
    /// Name in the collector's certificate.
    pub server_name: String,
}

/// Why a host could not be enrolled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token is not one.
    #[error("the token is not usable; copy it whole, as the collector printed it")]
    Token(#[from] BadToken),
    /// The key or the request could not be made.
    #[error("could not make the agent's key and certificate request")]
    Key(#[source] rcgen::Error),
    /// The connection could not be set up.
    #[error(transparent)]
    Tls(#[from] ship::Error),
    /// The host has an identity already.
    #[error("this host is enrolled already as {agent}, in {}; to give it a new identity, stop its agent and say --again", path.display())]
    Already {
        /// Its present identity.
        agent: AgentId,
        /// Where that lies.
        path: PathBuf,
    },
    /// No address was given.
    #[error("no collector address; give one with --collector HOST:PORT")]
    NoAddress,
    /// No collector answered, or what answered is not ours.
    #[error("{why}")]
    Connect {
        /// For people.
        why: String,
    },
    /// The collector said no.
    #[error("the collector at {address} did not enrol this host ({why}); ask for a new token")]
    Refused {
        /// Which.
        address: String,
        /// What it said.
        why: String,
    },
    /// The collector's answer does not fit what was asked.
    #[error("the collector's answer is not usable ({why}); check that both programs are of one version")]
    Answer {
        /// What is wrong.
        why: &'static str,
    },
    /// The identity can not be kept.
    #[error("could not keep {}; check the folder's rights and space", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

const PATIENCE: Duration = Duration::from_secs(15);

/// Enrols this host and keeps its identity. Blocks; must not be called on an async runtime's
/// thread.
///
/// # Errors
/// Nothing was kept, unless the error is [`Error::Keep`].
pub fn enroll(request: &Request) -> Result<Identity, Error> {
    let token = Token::parse(&request.token)?;
    if request.collector.is_empty() {
        return Err(Error::NoAddress);
    }
    let path = request.state_dir.clone();
    let present = identity(&path).map_err(|source| Error::Keep { path: path.clone(), source })?;
    if let (Some(present), Again::Refuse) = (present, request.again) {
        return Err(Error::Already { agent: present.agent, path });
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(Error::Key)?;
    let csr = csr(&key, &request.host)?;
    let body = Enroll { token: token.secret.clone(), csr, host: request.host.clone() };
    let mut failed = Error::NoAddress;
    for address in &request.collector {
        match ask(request, &token, address, &body) {
            Ok(enrolled) => return keep(request, &key, &enrolled, &token),
            Err(error @ Error::Refused { .. }) => return Err(error),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn csr(key: &KeyPair, host: &str) -> Result<String, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, host);
    let request = params.serialize_request(key).map_err(Error::Key)?;
    request.pem().map_err(Error::Key)
}

fn ask(request: &Request, token: &Token, address: &str, body: &Enroll) -> Result<Enrolled, Error> {
    let tls = ship::judged_by(pin::Pinned::verifier(token.ca_sha256))?;
    let client = ship::client(tls, &request.server_name, address).map_err(|why| Error::Connect { why })?;
    let sent = client
        .post(ship::url(&request.server_name, address, "/v1/enroll"))
        .timeout(PATIENCE)
        .json(body)
        .send();
    let response = sent.map_err(|error| Error::Connect { why: unreachable(&error, request, address) })?;
    let status = response.status();
    let bytes = ship::body(response).map_err(|why| Error::Connect { why })?;
    if !status.is_success() {
        return Err(Error::Refused { address: address.to_owned(), why: ship::problem(status, &bytes) });
    }
    serde_json::from_slice(&bytes).map_err(|_| Error::Answer { why: "not an enrolment" })
}

fn unreachable(error: &reqwest::Error, request: &Request, address: &str) -> String {
    match ship::failure(error, address, &request.server_name) {
        ship::Answer::NotTrusted { why } if !why.contains("name") && !why.contains("clocks") => format!(
            "what answers at {address} does not hold the CA that the token names; check the address, or ask for a token of this collector"
        ),
        ship::Answer::NotTrusted { why }
        | ship::Answer::Unreachable { why }
        | ship::Answer::NotAccepted { why }
        | ship::Answer::Busy { why, .. }
        | ship::Answer::Refused { why } => why,
        ship::Answer::Acknowledged => String::new(),
    }
}

fn keep(request: &Request, key: &KeyPair, enrolled: &Enrolled, token: &Token) -> Result<Identity, Error> {
    if !pin::is_ca(enrolled.ca.as_bytes(), token.ca_sha256) {
        return Err(Error::Answer { why: "its CA is not the one the token names" });
    }
    let identity = Identity {
        agent: enrolled.agent,
        collector: request.collector.clone(),
        server_name: request.server_name.clone(),
    };
    let folder = &request.state_dir;
    make_folder(folder).map_err(|source| Error::Keep { path: folder.clone(), source })?;
    let files = Credentials::within(folder);
    let json = serde_json::to_vec_pretty(&identity).unwrap_or_default();
    write(&files.key, key.serialize_pem().as_bytes())?;
    write(&files.certificate, enrolled.certificate.as_bytes())?;
    write(&files.ca, enrolled.ca.as_bytes())?;
    // Last: its presence says that the others are whole.
    write(&folder.join(IDENTITY), &json)?;
    Ok(identity)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace_file(path, bytes).map_err(|source| Error::Keep { path: path.to_owned(), source })
}

/// Makes the state folder, for its owner only.
///
/// # Errors
/// What the system said.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Who this host is, if it has been enrolled.
///
/// # Errors
/// The file is there but can not be read.
pub fn identity(state_dir: &Path) -> io::Result<Option<Identity>> {
    match read_small(&state_dir.join(IDENTITY), 64 * 1024) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
