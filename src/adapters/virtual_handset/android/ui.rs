//! What is on the screen as a tree of views, and as the XML that `uiautomator dump` writes.

use super::apps;
use super::display::{Draft, Open};
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::firmware::model::{Row, Screen};
use crate::adapters::virtual_handset::kernel::world::World;

/// What touching a view does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Sends the message.
    Send,
    /// Moves the focus to the recipient, or to the text.
    TypeRecipient(bool),
    /// Turns a switch.
    Turn(String),
    /// Ends the call.
    HangUp,
}

/// One view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) text: String,
    pub(crate) id: String,
    pub(crate) class: &'static str,
    pub(crate) package: String,
    pub(crate) description: String,
    /// `None` when it can not be checked.
    pub(crate) checked: Option<bool>,
    pub(crate) focused: bool,
    pub(crate) scrollable: bool,
    pub(crate) disabled: bool,
    /// Left, top, right, bottom.
    pub(crate) bounds: (i64, i64, i64, i64),
    pub(crate) action: Option<Action>,
    pub(crate) children: Vec<Self>,
}

/// Pixels across and down.
pub(crate) const fn size(sdk: u32) -> (i64, i64) {
    if sdk < 21 { (720, 1280) } else { (1080, 2400) }
}

/// Height of the status bar, and of one row.
const BAR: i64 = 50;
const ROW: i64 = 96;

/// What is on the screen now.
pub(crate) fn tree(world: &World) -> View {
    let (width, height) = size(world.firmware.sdk);
    let mut root = View {
        class: "android.widget.FrameLayout",
        bounds: (0, 0, width, height),
        ..View::default()
    };
    let Some(front) = world.android.display.front() else {
        root.package = "com.android.systemui".to_owned();
        return root;
    };
    root.package.clone_from(&front.component.package);
    root.children = match &front.shows {
        Screen::Home => vec![label(&root, "Home", BAR)],
        Screen::Compose => compose(world, &root, front),
        Screen::Call => call(world, &root),
        Screen::List { title, rows } => list(world, &root, title, rows),
    };
    root
}

fn label(root: &View, text: &str, top: i64) -> View {
    View {
        text: text.to_owned(),
        class: "android.widget.TextView",
        package: root.package.clone(),
        bounds: (0, top, root.bounds.2, top + ROW),
        ..View::default()
    }
}

/// The ids of the composer's views differ between the app of 4.x and that of today.
fn compose(world: &World, root: &View, open: &Open) -> Vec<View> {
    let package = &open.component.package;
    let (recipient, text, send) = if world.android.is_old() {
        ("recipients_editor", "embedded_text_editor", "send_button")
    } else {
        (
            "recipient_text_view",
            "compose_message_text",
            "send_message_button",
        )
    };
    let id = |name: &str| format!("{package}:id/{name}");
    let (width, height) = (root.bounds.2, root.bounds.3);
    let bottom = height - 120;
    let Draft {
        to,
        text: body,
        types_recipient,
        ..
    } = &open.draft;
    vec![
        View {
            text: to.clone(),
            id: id(recipient),
            class: "android.widget.MultiAutoCompleteTextView",
            package: package.clone(),
            focused: *types_recipient,
            bounds: (16, BAR + ROW, width - 16, BAR + 2 * ROW),
            action: Some(Action::TypeRecipient(true)),
            ..View::default()
        },
        View {
            text: body.clone(),
            id: id(text),
            class: "android.widget.EditText",
            package: package.clone(),
            focused: !*types_recipient,
            bounds: (16, bottom, width - 160, height - 16),
            action: Some(Action::TypeRecipient(false)),
            ..View::default()
        },
        View {
            text: "Send".to_owned(),
            id: id(send),
            class: "android.widget.Button",
            package: package.clone(),
            description: "Send".to_owned(),
            disabled: to.is_empty() || body.is_empty(),
            bounds: (width - 150, bottom, width - 10, height - 16),
            action: Some(Action::Send),
            ..View::default()
        },
    ]
}

fn call(world: &World, root: &View) -> Vec<View> {
    let telephony = &world.android.telephony;
    let state = if telephony.is_answered() {
        "In call"
    } else {
        "Dialing"
    };
    let (width, height) = (root.bounds.2, root.bounds.3);
    vec![
        label(root, telephony.number().unwrap_or_default(), BAR + ROW),
        label(root, state, BAR + 2 * ROW),
        View {
            id: format!("{}:id/endButton", root.package),
            class: "android.widget.ImageButton",
            package: root.package.clone(),
            description: "End".to_owned(),
            bounds: (width / 2 - 80, height - 220, width / 2 + 80, height - 60),
            action: Some(Action::HangUp),
            ..View::default()
        },
    ]
}

/// A preference screen: a row is a layout with its title and, if it has a switch, a check box.
fn list(world: &World, root: &View, title: &str, rows: &[Row]) -> Vec<View> {
    let width = root.bounds.2;
    let mut header = label(root, title, BAR);
    header.id = "android:id/action_bar_title".to_owned();
    let mut top = BAR + ROW;
    let mut shown = Vec::new();
    for row in rows {
        let bounds = (0, top, width, top + ROW);
        let mut text = label(root, &row.text, top);
        text.id = "android:id/title".to_owned();
        text.bounds = (32, top + 16, width - 140, top + ROW - 16);
        let mut children = vec![text];
        if let Some(switch) = &row.switch {
            children.push(View {
                id: "android:id/checkbox".to_owned(),
                class: "android.widget.CheckBox",
                package: root.package.clone(),
                checked: Some(apps::switch_state(world, switch) == Some(true)),
                bounds: (width - 120, top + 16, width - 24, top + ROW - 16),
                ..View::default()
            });
        }
        shown.push(View {
            class: "android.widget.LinearLayout",
            package: root.package.clone(),
            bounds,
            action: row.switch.clone().map(Action::Turn),
            children,
            ..View::default()
        });
        top += ROW;
    }
    let list = View {
        id: "android:id/list".to_owned(),
        class: "android.widget.ListView",
        package: root.package.clone(),
        scrollable: true,
        bounds: (0, BAR + ROW, width, root.bounds.3),
        children: shown,
        ..View::default()
    };
    vec![header, list]
}

/// What a touch at a point does: the innermost view there that does anything.
pub(crate) fn at(view: &View, x: i64, y: i64) -> Option<Action> {
    let (left, top, right, bottom) = view.bounds;
    if !(left..right).contains(&x) || !(top..bottom).contains(&y) || view.disabled {
        return None;
    }
    let inner = view.children.iter().rev().find_map(|child| at(child, x, y));
    inner.or_else(|| view.action.clone())
}

/// The dump of a tree (AOSP `AccessibilityNodeInfoDumper`, attributes in its order).
pub(crate) fn to_xml(root: &View) -> String {
    let mut xml = String::from(
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"0\">",
    );
    write(root, 0, &mut xml);
    xml.push_str("</hierarchy>");
    xml
}

fn write(view: &View, index: usize, xml: &mut String) {
    let (left, top, right, bottom) = view.bounds;
    let clickable = view.action.is_some();
    let editable = view.class.contains("EditText") || view.class.contains("AutoComplete");
    let flags = [
        ("checkable", view.checked.is_some()),
        ("checked", view.checked == Some(true)),
        ("clickable", clickable),
        ("enabled", !view.disabled),
        ("focusable", clickable),
        ("focused", view.focused),
        ("scrollable", view.scrollable),
        ("long-clickable", editable),
        ("password", false),
        ("selected", false),
    ];
    push(
        xml,
        format_args!(
            "<node index=\"{index}\" text=\"{}\" resource-id=\"{}\" class=\"{}\" package=\"{}\" content-desc=\"{}\"",
            escaped(&view.text),
            escaped(&view.id),
            view.class,
            escaped(&view.package),
            escaped(&view.description),
        ),
    );
    for (name, value) in flags {
        push(xml, format_args!(" {name}=\"{value}\""));
    }
    push(
        xml,
        format_args!(" bounds=\"[{left},{top}][{right},{bottom}]\""),
    );
    if view.children.is_empty() {
        xml.push_str(" />");
        return;
    }
    xml.push('>');
    for (index, child) in view.children.iter().enumerate() {
        write(child, index, xml);
    }
    xml.push_str("</node>");
}

/// Characters that XML can not hold become full stops, as the dumper writes them.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{1}'..='\u{8}'
            | '\u{b}'
            | '\u{c}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\0' => {
                escaped.push('.');
            }
            c => escaped.push(c),
        }
    }
    escaped
}
