//! `report INCIDENT`: one incident on paper.

use std::path::PathBuf;

use watchpost_model::Timestamp;
use watchpost_model::id::IncidentId;

use super::{Desk, Error};
use crate::exit::Exit;
use crate::report::{self as paper, Format};
use crate::terminal::write_report;

/// Which report.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// The incident's id.
    pub incident: IncidentId,
    /// Folder to write to; without it the report goes to standard output.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// md, html or json.
    #[arg(long, default_value = "md", value_parser = format)]
    pub format: Format,
}

fn format(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| format!("no report format {name:?}: md, html or json"))
}

/// Writes the report of an incident to a folder (and its path to standard output) or to standard
/// output.
///
/// # Errors
/// The collector does not know the incident or cannot be asked, or the file cannot be written.
pub fn report(args: &ReportArgs, now: Timestamp, desk: &mut Desk<'_>) -> Result<Exit, Error> {
    let story = desk.source.story(args.incident)?;
    let text = paper::render(&story, desk.lang, now, args.format);
    match &args.out {
        None => desk.out.write_all(text.as_bytes())?,
        Some(folder) => {
            let path = write_report(folder, args.incident, desk.lang, args.format, &text)
                .map_err(|source| Error::Report { folder: folder.display().to_string(), source })?;
            writeln!(desk.out, "{}", path.display())?;
        }
    }
    Ok(Exit::Fine)
}
