//! Every colour, border and symbol of the screen, in one place.
//!
//! Colour only supports what words already say: severity is always written out, so the screen
//! reads the same under `NO_COLOR`, on a monochrome console and to a colour-blind analyst. In
//! ASCII mode borders, arrows and ellipses use ASCII, because terminals in CJK locales may draw
//! the box characters two cells wide.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use watchpost_model::alert::Severity;
use watchpost_model::asset::Liveness;

/// How the screen looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether to use colour.
    pub color: bool,
    /// Whether to keep to ASCII for borders and symbols.
    pub ascii: bool,
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Theme {
    fn paint(self, color: Color, plain: Modifier) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new().add_modifier(plain) }
    }

    /// Of a severity's word.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Critical if self.color => {
                Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
            }
            Severity::Critical => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Severity::High => self.paint(Color::LightRed, Modifier::BOLD),
            Severity::Medium => self.paint(Color::Yellow, Modifier::empty()),
            Severity::Low => self.paint(Color::Cyan, Modifier::empty()),
            Severity::Informational => self.paint(Color::Gray, Modifier::DIM),
        }
    }

    /// Of a host's liveness.
    #[must_use]
    pub fn liveness(self, liveness: Liveness) -> Style {
        match liveness {
            Liveness::Online => self.good(),
            Liveness::Silent => self.bad(),
            Liveness::Never | Liveness::Revoked => self.dim(),
        }
    }

    /// Of what is well.
    #[must_use]
    pub fn good(self) -> Style {
        self.paint(Color::Green, Modifier::empty())
    }

    /// Of what needs someone: losses, silence, errors.
    #[must_use]
    pub fn bad(self) -> Style {
        self.paint(Color::LightRed, Modifier::BOLD)
    }

    /// Of what needs a look: warnings, a frozen screen.
    #[must_use]
    pub fn caution(self) -> Style {
        self.paint(Color::Yellow, Modifier::BOLD)
    }

    /// Of headings.
    #[must_use]
    pub fn heading(self) -> Style {
        self.paint(Color::Cyan, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    /// Of labels, borders and what is of less weight.
    #[must_use]
    pub fn dim(self) -> Style {
        self.paint(Color::DarkGray, Modifier::DIM)
    }

    /// Of labels that must stay readable.
    #[must_use]
    pub fn label(self) -> Style {
        self.paint(Color::Gray, Modifier::empty())
    }

    /// Of the row under the cursor.
    #[must_use]
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Of ordinary text.
    #[must_use]
    pub fn text(self) -> Style {
        Style::new()
    }

    /// The box around a panel.
    #[must_use]
    pub fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDER } else { border::PLAIN }
    }

    /// Stands for what was cut off.
    #[must_use]
    pub fn ellipsis(self) -> &'static str {
        if self.ascii { ".." } else { "…" }
    }

    /// From attacker to target.
    #[must_use]
    pub fn arrow(self) -> &'static str {
        if self.ascii { "->" } else { "→" }
    }

    /// Before the row under the cursor, so that it is seen without reverse video.
    #[must_use]
    pub fn cursor(self) -> &'static str {
        ">"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_the_worst_two_severities_still_stand_out() {
        let plain = Theme { color: false, ascii: false };
        let styles = Severity::ALL.map(|severity| plain.severity(severity));
        assert!(styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
        assert_ne!(plain.severity(Severity::Critical), plain.severity(Severity::High));
        assert_ne!(plain.severity(Severity::High), plain.severity(Severity::Medium));
    }

    #[test]
    fn ascii_mode_has_only_ascii() {
        let theme = Theme { color: true, ascii: true };
        let set = theme.border();
        let all = [
            set.top_left,
            set.horizontal_top,
            set.vertical_left,
            theme.ellipsis(),
            theme.arrow(),
            theme.cursor(),
        ];
        assert!(all.iter().all(|text| text.is_ascii()));
    }
}
