//! The administration socket `admin.sock`: one JSON line asks, one JSON line answers.
//!
//! Only the owner of the data directory can reach it; that is the whole of its protection.

use std::fs;
use std::io::{BufRead as _, BufReader as StdReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::office::{Office, Reply, Request};
use crate::clock;
use crate::run::Error;

const NAME: &str = "admin.sock";

/// Bytes of a request; a path is the longest part.
const MOST_REQUEST: u64 = 16 * 1024;

/// Bytes of a reply: a list of all certificates.
const MOST_REPLY: u64 = 256 * 1024 * 1024;

/// How long an asker may take to ask.
const ASKING: Duration = Duration::from_secs(5);

/// How long an answer may take: a backup copies the whole journal.
const ANSWERING: Duration = Duration::from_secs(3_600);

/// Makes the socket. A socket left by a process that died is replaced; the lock of the data
/// directory says that it is dead.
///
/// # Errors
/// [`Error::Socket`] names it.
pub fn bind(directory: &Path) -> Result<UnixListener, Error> {
    let path = directory.join(NAME);
    let failed = |source| Error::Socket { path: path.clone(), source };
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Answers one asker after the other until the task is dropped.
pub async fn serve(listener: UnixListener, office: Office) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = converse(stream, office.clone()).await {
                    tracing::debug!(%error, "an administration request broke off");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the administration socket failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, office: Office) -> std::io::Result<()> {
    let (from, mut to) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(from.take(MOST_REQUEST));
    tokio::time::timeout(ASKING, reader.read_line(&mut line)).await??;
    let reply = match serde_json::from_str::<Request>(&line) {
        Err(error) => Reply::Failed(format!("not a request: {error}")),
        Ok(request) => {
            tracing::info!(?request, "administration");
            tokio::task::spawn_blocking(move || office.answer(&request, clock::now()))
                .await
                .unwrap_or_else(|_| Reply::Failed("the request broke off; see the collector's log".into()))
        }
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    to.write_all(&text).await
}

/// Asks a running collector; `None` where none runs.
///
/// # Errors
/// The conversation broke off.
pub fn ask(directory: &Path, request: &Request) -> std::io::Result<Option<Reply>> {
    let Ok(mut stream) = StdStream::connect(directory.join(NAME)) else { return Ok(None) };
    stream.set_read_timeout(Some(ANSWERING))?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    StdReader::new(stream.take(MOST_REPLY)).read_line(&mut line)?;
    Ok(Some(serde_json::from_str(&line)?))
}
