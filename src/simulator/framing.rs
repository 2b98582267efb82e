//! Finding JSON objects in a raw stream of bytes: objects may be split across reads, and one read may hold several.

/// A longer run without a complete object is handed over as it is, for the protocol to refuse.
const LONGEST: usize = 16 * 1_024;

/// Collects bytes until an object is whole.
#[derive(Debug, Default)]
pub(super) struct Objects {
    bytes: Vec<u8>,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Objects {
    /// Takes bytes and gives every message that is whole by now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            if self.bytes.is_empty() && byte.is_ascii_whitespace() {
                continue;
            }
            self.bytes.push(*byte);
            if self.ends_with(*byte) || self.bytes.len() > LONGEST {
                whole.push(String::from_utf8_lossy(&self.bytes).into_owned());
                *self = Self::default();
            }
        }
        whole
    }

    /// Whether this byte completes an object, or cannot belong to one.
    const fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_text {
            match (self.is_escaped, byte) {
                (true, _) => self.is_escaped = false,
                (false, b'\\') => self.is_escaped = true,
                (false, b'"') => self.in_text = false,
                (false, _) => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' => self.depth += 1,
            b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        // Outside an object only a line's end tells where a message stops.
        self.depth == 0 && matches!(byte, b'}' | b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_however_they_are_cut() {
        let text = "{\"command\":\"a\"}\n\n{\"command\":\"b\",\"x\":{\"y\":\"}{\\\"\"}}{\"command\":\"c\"}";
        let expected = ["{\"command\":\"a\"}", "{\"command\":\"b\",\"x\":{\"y\":\"}{\\\"\"}}", "{\"command\":\"c\"}"];
        for size in 1..=text.len() {
            let mut objects = Objects::default();
            let found: Vec<String> = text.as_bytes().chunks(size).flat_map(|part| objects.push(part)).collect();
            assert_eq!(found, expected, "cut every {size} bytes");
        }
    }

    #[test]
    fn what_is_no_object_is_handed_over_to_be_refused() {
        assert_eq!(Objects::default().push(b"ping\n{}"), ["ping\n", "{}"]);
        assert_eq!(Objects::default().push("x".repeat(20_000).as_bytes()).len(), 1);
    }
}
