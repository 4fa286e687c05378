//! Paths as text: joining and taking apart. Nothing here looks at a file system.

/// `path` seen from `directory`; `.` and `..` stay, for symlinks decide what they mean.
pub(crate) fn join(directory: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else if directory.ends_with('/') {
        format!("{directory}{path}")
    } else {
        format!("{directory}/{path}")
    }
}

/// The names along a path; empty ones and `.` are dropped.
pub(crate) fn names(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/')
        .filter(|name| !name.is_empty() && *name != ".")
}

/// The path before the last name, and that name; `None` for the root.
pub(crate) fn split_last(path: &str) -> Option<(&str, &str)> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = trimmed.rsplit_once('/')?;
    (!name.is_empty()).then_some((if parent.is_empty() { "/" } else { parent }, name))
}

/// The last name of a path, as `basename` prints it.
pub(crate) fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "" } else { "/" };
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// Resolves `.` and `..` by text alone, as a shell's logical working directory does.
pub(crate) fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for name in names(path) {
        if name == ".." {
            kept.pop();
        } else {
            kept.push(name);
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_paths() {
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b/../c"), "/a/b/../c");
        assert_eq!(join("/a", "/b"), "/b");
        assert_eq!(split_last("/a/b/"), Some(("/a", "b")));
        assert_eq!(split_last("/a"), Some(("/", "a")));
        assert_eq!(split_last("/"), None);
        assert_eq!(base("/a/b/"), "b");
        assert_eq!(base("/"), "/");
        assert_eq!(normal("/a/./b/../../../c"), "/c");
    }
}
