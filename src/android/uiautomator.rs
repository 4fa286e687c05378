//! `uiautomator dump`: the tree of what is on the screen, and what to tap in it.
//!
//! The text on the screen is anyone's: names, messages, web pages. The tree is bounded, entities
//! are never expanded, and nothing of it is run or followed.

use crate::android::quote;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

/// The largest dump that is read.
pub const MAX_BYTES: usize = 8 << 20;

/// The most nodes that are kept.
pub const MAX_NODES: usize = 20_000;

/// The command that dumps the screen into `path`, prints it, and removes it; also where the host goes
/// away meanwhile, which hangs up what it had started.
#[must_use]
pub fn dump_command(path: &str) -> String {
    let path = quote::quote(path);
    format!("trap '' HUP; uiautomator dump {path}; cat {path}; rm -f {path}")
}

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScreenError {
    /// The tool said so (the screen moves too much, or is secure).
    #[error("the screen could not be dumped: {0}")]
    NotDumped(String),
    /// It printed no readable tree.
    #[error("the screen's dump cannot be read: {0}")]
    Malformed(String),
}

/// A rectangle on the screen, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Left edge.
    pub left: i32,
    /// Upper edge.
    pub top: i32,
    /// Right edge.
    pub right: i32,
    /// Lower edge.
    pub bottom: i32,
}

impl Bounds {
    /// The middle, where a finger goes; `None` for a rectangle without area.
    #[must_use]
    pub fn center(self) -> Option<(i32, i32)> {
        let middle = |from: i32, to: i32| {
            let middle = i64::from(from) + (i64::from(to) - i64::from(from)) / 2;
            i32::try_from(middle).ok()
        };
        if self.left >= self.right || self.top >= self.bottom {
            return None;
        }
        Some((
            middle(self.left, self.right)?,
            middle(self.top, self.bottom)?,
        ))
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text
            .strip_prefix('[')?
            .strip_suffix(']')?
            .split_once("][")?;
        let pair = |text: &str| {
            let (x, y) = text.split_once(',')?;
            Some((x.parse().ok()?, y.parse().ok()?))
        };
        let ((left, top), (right, bottom)) = (pair(from)?, pair(to)?);
        Some(Self {
            left,
            top,
            right,
            bottom,
        })
    }
}

/// One element on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The place of the element that holds it.
    pub parent: Option<usize>,
    /// What it shows.
    pub text: String,
    /// `package:id/name`; empty before Android 4.3 and where there is none.
    pub resource_id: String,
    /// Its Java class.
    pub class: String,
    /// The app it belongs to.
    pub package: String,
    /// What is read out for it.
    pub description: String,
    /// Whether it is a check box or switch.
    pub checkable: bool,
    /// Whether that is checked.
    pub checked: bool,
    /// Whether it reacts to a tap.
    pub clickable: bool,
    /// Whether it can be used now.
    pub enabled: bool,
    /// Whether it scrolls.
    pub scrollable: bool,
    /// Where it is.
    pub bounds: Bounds,
}

/// What was on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Every element, a parent before its children.
    pub nodes: Vec<Node>,
    /// Whether the dump held more than was kept, or broke off.
    pub is_incomplete: bool,
}

impl Screen {
    /// Reads what [`dump_command`] printed.
    pub fn parse(output: &str) -> Result<Self, ScreenError> {
        let text: &str = output.get(..MAX_BYTES).unwrap_or(output);
        let Some(start) = text.find("<?xml").or_else(|| text.find("<hierarchy")) else {
            let said = output.lines().map(str::trim).find(|line| !line.is_empty());
            return Err(ScreenError::NotDumped(
                said.unwrap_or("no output").to_owned(),
            ));
        };
        let mut screen = Self {
            is_incomplete: output.len() > MAX_BYTES,
            ..Self::default()
        };
        let broken = screen.read(text.get(start..).unwrap_or_default()).err();
        match broken {
            Some(reason) if screen.nodes.is_empty() => Err(ScreenError::Malformed(reason)),
            broken => {
                screen.is_incomplete |= broken.is_some();
                Ok(screen)
            }
        }
    }

    /// The first element that shows exactly `text`.
    #[must_use]
    pub fn by_text(&self, text: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.text == text)
    }

    /// The first element with this resource id (`package:id/name`).
    #[must_use]
    pub fn by_resource_id(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.resource_id == id)
    }

    /// The check box or switch in the row that shows `text`: the only checkable element below the
    /// nearest ancestor that has any. `None` when there is no such row, or it has several.
    #[must_use]
    pub fn check_box(&self, text: &str) -> Option<&Node> {
        let mut at = self.by_text(text)?;
        loop {
            let mut boxes = (at..self.nodes.len())
                .take_while(|node| *node == at || self.is_below(*node, at))
                .filter_map(|node| self.nodes.get(node))
                .filter(|node| node.checkable);
            match (boxes.next(), boxes.next()) {
                (Some(only), None) => return Some(only),
                (Some(_), Some(_)) => return None,
                (None, _) => at = self.nodes.get(at)?.parent?,
            }
        }
    }

    /// The first element that scrolls.
    #[must_use]
    pub fn scrollable(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.scrollable)
    }

    /// Whether `node` is below `ancestor`. Parents stand before their children, so this ends.
    fn is_below(&self, node: usize, ancestor: usize) -> bool {
        let mut at = node;
        while let Some(parent) = self.nodes.get(at).and_then(|node| node.parent) {
            if parent == ancestor {
                return true;
            }
            if parent < ancestor {
                return false;
            }
            at = parent;
        }
        false
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Option<usize>> = Vec::new();
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(tag) => {
                    let parent = open.last().copied().flatten();
                    let node = self.add(&tag, parent)?;
                    open.push(node);
                }
                Event::Empty(tag) => {
                    let parent = open.last().copied().flatten();
                    self.add(&tag, parent)?;
                }
                Event::End(_) => {
                    open.pop();
                    if open.is_empty() {
                        return Ok(());
                    }
                }
                Event::Eof => return Err("it ends early".to_owned()),
                _ => {}
            }
        }
    }

    fn add(
        &mut self,
        tag: &BytesStart<'_>,
        parent: Option<usize>,
    ) -> Result<Option<usize>, String> {
        if tag.name().as_ref() != b"node" {
            return Ok(None);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(format!("more than {MAX_NODES} elements"));
        }
        self.nodes.push(node(tag, parent));
        Ok(Some(self.nodes.len() - 1))
    }
}

fn node(tag: &BytesStart<'_>, parent: Option<usize>) -> Node {
    let mut node = Node {
        parent,
        ..Node::default()
    };
    for attribute in tag.attributes().with_checks(false).flatten() {
        let raw = String::from_utf8_lossy(&attribute.value);
        let value = attribute
            .unescape_value()
            .map_or_else(|_| raw.into_owned(), Into::into);
        let is_true = value == "true";
        match attribute.key.as_ref() {
            b"text" => node.text = value,
            b"resource-id" => node.resource_id = value,
            b"class" => node.class = value,
            b"package" => node.package = value,
            b"content-desc" => node.description = value,
            b"checkable" => node.checkable = is_true,
            b"checked" => node.checked = is_true,
            b"clickable" => node.clickable = is_true,
            b"enabled" => node.enabled = is_true,
            b"scrollable" => node.scrollable = is_true,
            b"bounds" => node.bounds = Bounds::parse(&value).unwrap_or_default(),
            _ => {}
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCREEN: &str = "UI hierchary dumped to: /data/local/tmp/a.xml\r\n<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\
        <hierarchy rotation=\"0\"><node index=\"0\" text=\"\" class=\"android.widget.ListView\" scrollable=\"true\" checkable=\"false\" bounds=\"[0,50][480,800]\">\
        <node text=\"\" bounds=\"[0,50][480,150]\"><node text=\"Cloud &amp; more\" bounds=\"[0,50][300,150]\"/><node class=\"android.widget.CheckBox\" text=\"\" checkable=\"true\" checked=\"true\" bounds=\"[400,60][470,140]\"/></node>\
        <node text=\"\" bounds=\"[0,150][480,250]\"><node text=\"Other\"/><node checkable=\"true\" checked=\"false\"/></node>\
        <node text=\"Send\" resource-id=\"com.android.mms:id/send_button\" clickable=\"true\" enabled=\"true\" bounds=\"[380,700][480,800]\"/>\
        </node></hierarchy>";

    #[test]
    fn finds_rows_and_buttons() {
        let screen = Screen::parse(SCREEN).unwrap();
        assert!(!screen.is_incomplete);
        assert_eq!(
            screen.check_box("Cloud & more").map(|node| node.checked),
            Some(true)
        );
        assert_eq!(
            screen.check_box("Other").map(|node| node.checked),
            Some(false)
        );
        // The nearest ancestor with a check box has two of them: which one is meant is unknown.
        assert_eq!(screen.check_box("Send"), None);
        assert_eq!(screen.check_box("Absent"), None);
        let send = &screen.nodes[screen
            .by_resource_id("com.android.mms:id/send_button")
            .unwrap()];
        assert_eq!(send.bounds.center(), Some((430, 750)));
        assert_eq!(
            screen.scrollable().unwrap().class,
            "android.widget.ListView"
        );
    }

    #[test]
    fn tells_what_is_no_screen() {
        let error =
            "ERROR: null root node returned by UiTestAutomationBridge.\r\ncat: /x: No such file\n";
        assert_eq!(
            Screen::parse(error),
            Err(ScreenError::NotDumped(
                "ERROR: null root node returned by UiTestAutomationBridge.".to_owned()
            ))
        );
        assert!(matches!(
            Screen::parse("<hierarchy"),
            Err(ScreenError::Malformed(_))
        ));
        assert_eq!(
            Screen::parse(""),
            Err(ScreenError::NotDumped("no output".to_owned()))
        );
    }

    #[test]
    fn hostile_trees_are_bounded() {
        let wide = format!("<hierarchy>{}</hierarchy>", "<node/>".repeat(MAX_NODES + 1));
        let screen = Screen::parse(&wide).unwrap();
        assert_eq!(
            (screen.nodes.len(), screen.is_incomplete),
            (MAX_NODES, true)
        );
        let deep = format!("<hierarchy>{}", "<node>".repeat(MAX_NODES));
        let screen = Screen::parse(&deep).unwrap();
        assert_eq!((screen.check_box("x"), screen.is_incomplete), (None, true));
        let bomb = "<!DOCTYPE a [<!ENTITY x \"yyyy\">]><hierarchy><node text=\"&x;\"/></hierarchy>";
        assert_eq!(
            Screen::parse(bomb).map(|s| s.nodes[0].text.clone()),
            Ok("&x;".to_owned())
        );
    }

    #[test]
    fn strange_bounds_have_no_middle() {
        let cases = [
            ("[0,0][10,20]", Some((5, 10))),
            ("[10,0][10,20]", None),
            ("[-2147483648,0][2147483647,2]", Some((-1, 1))),
            ("[0,0]", None),
            ("[a,b][c,d]", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Bounds::parse(text).and_then(Bounds::center),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(<node text=\"x\" checkable=\"true\">|</node>|<node/>|<|>|\"|&|.)*") {
            if let Ok(screen) = Screen::parse(&format!("<hierarchy>{text}")) {
                let _ = screen.check_box("x");
            }
        }
    }
}
