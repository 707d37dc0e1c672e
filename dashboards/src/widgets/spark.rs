//! Bars from numbers: a sparkline one row high and a proportional bar.
//!
//! Both are plain strings, so a view can put them anywhere. In ASCII mode the steps are characters
//! that every console font has.

use crate::format::as_float;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];

/// One character per value, `each` cells wide; zero is a space, the greatest value the top step.
#[must_use]
pub fn line(values: &[u64], each: usize, ascii: bool) -> String {
    let steps = if ascii { ASCII } else { BLOCKS };
    let top = values.iter().copied().max().unwrap_or(0);
    let mut out = String::new();
    for value in values {
        let c = step(*value, top).and_then(|at| steps.get(at)).copied().unwrap_or(' ');
        out.extend(std::iter::repeat_n(c, each));
    }
    out
}

/// Which of the eight steps; none for zero, so that one alert differs from no alert.
fn step(value: u64, top: u64) -> Option<usize> {
    let last = u64::try_from(BLOCKS.len()).unwrap_or(8) - 1;
    if value == 0 || top == 0 {
        return None;
    }
    usize::try_from(u128::from(value) * u128::from(last) / u128::from(top)).ok()
}

/// A bar of `width` cells at most, in proportion to `top`; at least one cell for anything over zero.
#[must_use]
pub fn bar(value: u64, top: u64, width: usize, ascii: bool) -> String {
    if value == 0 || top == 0 || width == 0 {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a screen's width"
    )]
    let cells =
        (as_float(value) / as_float(top) * as_float(u64::try_from(width).unwrap_or(0))).round() as usize;
    if ascii { "#" } else { "█" }.repeat(cells.clamp(1, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_differs_from_none_and_the_top_is_full() {
        assert_eq!(line(&[0, 1, 100, 50], 1, false), " ▁█▄");
        assert_eq!(line(&[0, 1], 2, true), "  ##");
        assert_eq!(line(&[], 1, false), "");
        assert_eq!(line(&[u64::MAX, 0], 1, false), "█ ");
    }

    #[test]
    fn a_bar_never_overflows() {
        assert_eq!(bar(1, 1_000_000, 10, true), "#");
        assert_eq!(bar(10, 10, 10, true).len(), 10);
        assert_eq!(bar(20, 10, 10, true).len(), 10);
        assert_eq!(bar(0, 10, 10, true), "");
    }
}
