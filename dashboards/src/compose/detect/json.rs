//! Lines of JSON, cut into blocks of whole lines.

use std::io::{self, Read};

use super::unit::Load;

/// Bytes of a block, about: enough lines that handing them over costs nothing.
const BLOCK: usize = 256 * 1_024;

/// Bytes of the longest line that is read.
const MOST_LINE: usize = 16 * 1_024 * 1_024;

/// Cuts the input into blocks of whole lines and hands each over, until `take` wants no more.
///
/// # Errors
/// When reading fails.
pub(super) fn blocks(mut input: impl Read, take: &mut dyn FnMut(Load) -> bool) -> io::Result<()> {
    let (mut block, mut line) = (Vec::with_capacity(BLOCK), 1_u64);
    let mut is_skipping = false;
    loop {
        let before = block.len();
        (&mut input).take(BLOCK as u64).read_to_end(&mut block)?;
        let is_end = block.len() == before;
        let whole = block.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let cut = if is_end { Some(block.len()) } else { whole };
        let Some(cut) = cut.filter(|cut| *cut > 0) else {
            if is_end {
                if is_skipping {
                    take(Load::TooLong(line));
                }
                return Ok(());
            }
            is_skipping |= block.len() > MOST_LINE;
            if is_skipping {
                block.clear();
            }
            continue;
        };
        let rest = block.split_off(cut);
        let mut lines = std::mem::replace(&mut block, rest);
        if std::mem::take(&mut is_skipping) {
            let end = lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1);
            lines.drain(..end);
            if !take(Load::TooLong(line)) {
                return Ok(());
            }
            line += 1;
        }
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        if !take(Load::Lines(line, lines)) || is_end {
            return Ok(());
        }
        line += u64::try_from(count).unwrap_or(0);
    }
}

/// The reason without serde's own position, which counts every line as the first.
pub(super) fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}
