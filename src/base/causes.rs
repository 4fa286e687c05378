//! An error and its causes in one line, as they are shown to a person.

use std::error::Error;

/// `message: cause: its cause`. A cause whose words already end the line is not repeated: some
/// errors show their source in their own message.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Self>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1
                .as_ref()
                .map(|source| &**source as &(dyn Error + 'static))
        }
    }

    #[test]
    fn causes_follow_each_once() {
        let root = Layer("permission denied", None);
        let middle = Layer("cannot write: permission denied", Some(Box::new(root)));
        let top = Layer("the run failed", Some(Box::new(middle)));
        assert_eq!(
            causes(&top),
            "the run failed: cannot write: permission denied"
        );
    }
}
