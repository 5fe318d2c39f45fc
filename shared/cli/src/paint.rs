//! Colours, and text of others on a terminal.

/// Colours, if there are any.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub fn odd(self, text: &str) -> String {
        self.with("33", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    pub fn name(self, text: &str) -> String {
        self.with("34", text)
    }
}

/// Text of others, in which nothing can command the terminal.
pub fn visible(text: &str) -> String {
    let is_command = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_command) {
        return text.to_owned();
    }
    text.chars().map(|c| if is_command(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(visible("a\x1b[2Jb\u{9b}c\u{e4}"), "a\\u{1b}[2Jb\\u{9b}c\u{e4}");
    }
}
