//! The way in: from the text of a file to a checked value, or to everything that is wrong with it.
//!
//! It opens no files and follows no references out of the text.

use super::decode;
use super::matrix::Scenario;
use super::toggle::Toggle;
use crate::base::document::decode::Problems;
use crate::base::document::node::Node;
use crate::base::document::parse::read;
use crate::base::document::problem::Problem;
use crate::base::document::schema;

/// Reads a scenario (`phonehome/scenario/1`) whose toggles are among `toggles`.
///
/// The scenario is there when there is no problem; problems are in the order of the file.
#[must_use]
pub fn parse_scenario(text: &str, toggles: &[Toggle]) -> (Option<Scenario>, Vec<Problem>) {
    parse(text, schema::SCENARIO, |node, problems| {
        decode::scenario::scenario(node, text, toggles, problems)
    })
}

/// Reads a toggle (`phonehome/toggle/1`).
///
/// The toggle is there when there is no problem; problems are in the order of the file.
#[must_use]
pub fn parse_toggle(text: &str) -> (Option<Toggle>, Vec<Problem>) {
    parse(text, schema::TOGGLE, |node, problems| {
        decode::toggle::toggle(node, text, problems)
    })
}

fn parse<T>(
    text: &str,
    wanted: &str,
    decode: impl FnOnce(&Node, &mut Problems) -> Option<T>,
) -> (Option<T>, Vec<Problem>) {
    let (node, found) = read(text);
    let mut problems = Problems::new();
    problems.extend(found);
    let value = node
        .filter(|node| schema::agrees(node, wanted, &mut problems))
        .and_then(|node| decode(&node, &mut problems));
    let value = value.filter(|_| problems.is_empty());
    (value, problems.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::document::position::Position;
    use crate::persona::datum::Group;
    use crate::scenario::claim::ClaimTest;
    use crate::scenario::expectation::{DatumRef, HostPattern, OpaqueOk};
    use crate::scenario::matrix::{Axis, Collect, Feature, Packets};
    use crate::scenario::shipped_toggles;
    use crate::scenario::step::{Act, Changes, Switch};
    use crate::scenario::toggle::ToggleState;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Three lines that every case begins with, so that its own begin at line 4.
    const HEAD: &str = "schema: phonehome/scenario/1\nname: x\nsummary: S.\n";

    /// `message | hint` of a problem.
    fn shown(text: &str, problem: &Problem) -> String {
        assert!(text.get(problem.span.offset..problem.span.end()).is_some());
        let hint = problem.hint.as_ref().map(|hint| format!(" | {hint}"));
        format!("{}{}", problem.message, hint.unwrap_or_default())
    }

    fn check(body: &str, expected: &[&str]) {
        check_whole(&format!("{HEAD}{body}"), expected);
    }

    fn check_whole(marked: &str, expected: &[&str]) {
        check_problems(marked, expected, |text| {
            let (scenario, problems) = parse_scenario(text, &shipped_toggles());
            (scenario.is_some(), problems)
        });
    }

    fn check_toggle(marked: &str, expected: &[&str]) {
        check_problems(marked, expected, |text| {
            let (toggle, problems) = parse_toggle(text);
            (toggle.is_some(), problems)
        });
    }

    /// In `marked`, a `¦` stands before the place of each problem expected. What is expected is the
    /// start of the message, so that a case may leave out a long hint.
    fn check_problems(
        marked: &str,
        expected: &[&str],
        parse: impl Fn(&str) -> (bool, Vec<Problem>),
    ) {
        let text = marked.replace('¦', "");
        let (is_right, problems) = parse(&text);
        assert_eq!(is_right, expected.is_empty(), "{text}\n{problems:?}");
        let marks = marked.match_indices('¦').enumerate();
        let places: Vec<usize> = marks
            .map(|(before, (at, mark))| at - before * mark.len())
            .collect();
        let found: Vec<usize> = problems.iter().map(|problem| problem.span.offset).collect();
        let messages: Vec<String> = problems.iter().map(|p| shown(&text, p)).collect();
        if !places.is_empty() {
            assert_eq!(found, places, "{marked}\n{messages:#?}");
        }
        let agree = messages.len() == expected.len()
            && messages
                .iter()
                .zip(expected)
                .all(|(found, wanted)| found.starts_with(wanted));
        assert!(
            agree,
            "{marked}\nfound: {messages:#?}\nexpected: {expected:#?}"
        );
    }

    #[test]
    fn the_shipped_scenarios_are_right() {
        let shipped = [
            include_str!("../../scenarios/xiaomi-cloud-messaging-opt-in.yaml"),
            include_str!("../../scenarios/owner-acts-stay-private.yaml"),
        ];
        for text in shipped {
            let (scenario, problems) = parse_scenario(text, &shipped_toggles());
            assert_eq!(problems, []);
            assert!(scenario.is_some());
        }
    }

    #[test]
    fn every_key_reaches_its_place() {
        let text = include_str!("../../scenarios/xiaomi-cloud-messaging-opt-in.yaml");
        let scenario = parse_scenario(text, &shipped_toggles()).0.unwrap();
        assert_eq!(scenario.name, "xiaomi-cloud-messaging-opt-in");
        assert_eq!(scenario.required_toggles, ["cloud_messaging"]);
        assert_eq!(scenario.required_features, [Feature::Telephony]);
        assert_eq!(
            (scenario.contacts, scenario.peers, scenario.messages()),
            (2, 1, 2)
        );
        let states = vec![ToggleState::Untouched, ToggleState::Off, ToggleState::On];
        let toggle = "cloud_messaging".to_owned();
        assert_eq!(scenario.axes, [Axis { toggle, states }]);
        let acts: Vec<&Act> = scenario.steps.iter().map(|step| &step.act).collect();
        let expected = [
            &Act::AddContact { contact: 1 },
            &Act::ReceiveSms { from: 1 },
            &Act::SendSms { to: 1 },
            &Act::Call {
                to: 1,
                duration: Duration::from_secs(5),
            },
            &Act::Idle(Duration::from_secs(120)),
        ];
        assert_eq!(acts, expected);
        let ids: Vec<&str> = scenario
            .setup
            .iter()
            .chain(&scenario.steps)
            .map(|s| s.id.as_str())
            .collect();
        let expected = [
            "setup.1:wifi",
            "setup.2:location",
            "steps.1:add_contact",
            "steps.2:receive_sms",
            "steps.3:send_sms",
            "steps.4:call",
            "steps.5:idle",
        ];
        assert_eq!(ids, expected);
        assert_eq!(scenario.message_of("steps.2:receive_sms"), Some(1));
        assert_eq!(scenario.message_of("steps.3:send_sms"), Some(2));
        assert_eq!(scenario.message_of("steps.4:call"), None);
        let collect = Collect {
            logs: ["main", "system", "events", "radio"]
                .map(str::to_owned)
                .to_vec(),
            netstats: true,
            packets: Packets::Auto,
        };
        assert_eq!(scenario.collect, collect);
    }

    #[test]
    fn every_expectation_and_claim_reaches_its_place() {
        let text = include_str!("../../scenarios/xiaomi-cloud-messaging-opt-in.yaml");
        let scenario = parse_scenario(text, &shipped_toggles()).0.unwrap();
        let [silent, encrypted] = scenario.expect.as_slice() else {
            panic!("not two expectations");
        };
        assert_eq!(
            silent.when["cloud_messaging"],
            [ToggleState::Untouched, ToggleState::Off]
        );
        assert_eq!(silent.never_sent.len(), 7);
        assert_eq!(silent.never_sent[5], DatumRef::Group(Group::Peers));
        let opaque_ok = OpaqueOk {
            app: Some("com.android.vending".into()),
            host: Some(HostPattern("*.example.net".into())),
        };
        assert_eq!(silent.opaque_ok, [opaque_ok]);
        assert_eq!(silent.only_to, None);
        assert_eq!(encrypted.when["cloud_messaging"], [ToggleState::On]);
        assert_eq!(encrypted.only_to.as_ref().unwrap().len(), 2);
        let last = scenario.claims.last().unwrap();
        assert_eq!(
            last.test,
            ClaimTest::Unobservable("a handset cannot show what a server keeps".into())
        );
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let text = format!(
            "{HEAD}steps: [{{ shell: {{ command: id }}, timeout: 5s }}, {{ wifi: off }}, {{ toggle: {{ cloud_messaging: off }} }}, {{ shell: {{ command: a, undo: b }} }}, {{ shell: {{ command: a, changes: nothing }} }}]\n"
        );
        let scenario = parse_scenario(&text, &shipped_toggles()).0.unwrap();
        assert_eq!((scenario.contacts, scenario.peers), (0, 0));
        assert_eq!(scenario.variants().len(), 1);
        assert!(scenario.collect.netstats && scenario.collect.packets == Packets::Auto);
        let [shell, wifi, toggle, undone, nothing] = scenario.steps.as_slice() else {
            panic!("not five steps");
        };
        assert_eq!(shell.timeout, Duration::from_secs(5));
        let act = |command: &str, changes| Act::Shell {
            command: command.into(),
            changes,
        };
        assert_eq!(shell.act, act("id", Changes::Unknown));
        assert_eq!(wifi.act, Act::Wifi(Switch::Off));
        assert_eq!(wifi.timeout, wifi.act.default_timeout());
        assert_eq!(
            toggle.act,
            Act::Toggle {
                name: "cloud_messaging".into(),
                state: ToggleState::Off
            }
        );
        assert_eq!(undone.act, act("a", Changes::UndoneBy("b".into())));
        assert_eq!(nothing.act, act("a", Changes::Nothing));
    }

    #[test]
    fn the_top_level() {
        check_whole(
            "",
            &["expected a scenario, found nothing | for example: `schema: phonehome/scenario/1`"],
        );
        check_whole("¦- a\n", &["expected a scenario, found a list"]);
        check_whole(
            "schema: ¦phonehome/persona/1\ndata: []\n",
            &["this is a persona file | expected `phonehome/scenario/1`"],
        );
        check_whole(
            "¦¦¦schema: phonehome/scenario/1\n",
            &[
                "missing key `name` in a scenario | `name` is the scenario's name, fit for a file name; for example",
                "missing key `summary` in a scenario",
                "missing key `steps` in a scenario",
            ],
        );
        check_whole(
            "schema: phonehome/scenario/1\nname: ¦a/b\nsummary: ¦' '\nsteps: [{ idle: 1s }]\n",
            &[
                "`a/b` is not fit for a file name | use lower-case letters, digits, `-` and `_`, at most 80: `a-b`",
                "expected text, found only blanks",
            ],
        );
        check_whole(
            "schema: phonehome/scenario/1\nname: ¦../../etc\nsummary: ¦5\nsteps: ¦[]\n",
            &[
                "`../../etc` is not fit for a file name",
                "expected text, found the number 5 | put it in quotes: \"5\"",
                "there are no steps | for example `- idle: 2m`",
            ],
        );
        check(
            "¦stepz: []\nsteps: [{ idle: 1s }]\n",
            &["unknown key `stepz` in a scenario | did you mean `steps`?"],
        );
        check("¦steps:\n", &["`steps` has no value"]);
        check(
            "steps: ¦idle\n",
            &["expected a list, found `idle` | write `[idle]`"],
        );
        check(
            "steps: [{ idle: 1s }]\n¦teardown: []\n¦handsets: {}\n",
            &[
                "`teardown` is not supported by this version",
                "`handsets` is not supported by this version",
            ],
        );
        check(
            "steps: [{ idle: 1s }]\n¦name: y\n¦steps: [{ nothing: 1 }]\n",
            &[
                "key `name` appears twice: first at line 2, column 1, and again here",
                "key `steps` appears twice: first at line 4, column 1, and again here",
            ],
        );
    }

    #[test]
    fn places_are_lines_and_columns() {
        let text = format!("{HEAD}steps: [{{ idle: 1s }}\nü: [ä, 1\n");
        let (_, problems) = parse_scenario(&text, &[]);
        let first = &problems[0];
        assert!(first.message.starts_with("not valid YAML: "), "{first:?}");
        assert_eq!(Position::of(&text, first.span.offset).line, 5);
        let text = format!("{HEAD}steps: [{{ idle: 1s }}, {{ wifi: ön }}, {{ wfi: off }}]\n");
        let (_, problems) = parse_scenario(&text, &[]);
        let at = |index: usize| {
            let Position { line, column } = Position::of(&text, problems[index].span.offset);
            (line, column)
        };
        assert_eq!((at(0), at(1)), ((4, 31), (4, 39)));
    }

    #[test]
    fn what_is_needed_planted_and_collected() {
        check(
            "requires: { toggles: [¦cloud_mesaging], features: [¦telefony, ¦nfc] }\nsteps: [{ idle: 1s }]\n",
            &[
                "there is no toggle `cloud_mesaging` | did you mean `cloud_messaging`?",
                "expected one of `telephony`, `root`, found `telefony` | did you mean `telephony`?",
                "expected one of `telephony`, `root`, found `nfc`",
            ],
        );
        // The number of peers is wrong, so nobody can say that there is no `peer-9`.
        check(
            "persona: { ¦contact: 2, peers: ¦many }\nsteps: [{ send_sms: { to: peer-9 } }]\n",
            &[
                "unknown key `contact` in `persona` | did you mean `contacts`?",
                "expected a whole number, found `many`",
            ],
        );
        check(
            "persona: { contacts: ¦-1, peers: ¦1000 }\nsteps: [{ add_contact: contact-7 }]\n",
            &[
                "expected a number from 0 to 200, found -1",
                "expected a number from 0 to 200, found 1000",
            ],
        );
        check(
            "collect: { logs: [main, ¦sytem], netstats: ¦on, packets: ¦all, ¦screens: true }\nsteps: [{ idle: 1s }]\n",
            &[
                "expected one of `main`, `system`, `events`, `radio`, `crash`, `kernel`, found `sytem` | did you mean `system`?",
                "expected `true` or `false`, found `on` | write `true`",
                "expected one of `auto`, `none`, found `all`",
                "unknown key `screens` in `collect` | known keys: `logs`, `netstats`, `packets`",
            ],
        );
    }

    #[test]
    fn axes() {
        check(
            "axes: { cloud_messaging: [untouched, off, ¦off], ¦wifi_scanning: [on] }\nsteps: [{ idle: 1s }]\nexpect:\n  - { id: a, when: { cloud_messaging: on, wifi_scanning: ¦off }, never_sent: imei }\n",
            &[
                "state `off` is named twice | remove one of them",
                "there is no toggle `wifi_scanning` | known toggles: `cloud_messaging`",
                "axis `wifi_scanning` is never `off` | its states are `on`",
            ],
        );
        check(
            "axes: { ¦cloud_messaging: [] }\nsteps: [{ idle: 1s }]\n",
            &["axis `cloud_messaging` has no states | for example `[untouched, off, on]`"],
        );
        check(
            "axes: { cloud_messaging: [¦true, ¦untuched] }\nsteps: [{ idle: 1s }]\n",
            &[
                "expected one of `untouched`, `off`, `on`, found `true` | did you mean `on`?",
                "expected one of `untouched`, `off`, `on`, found `untuched` | did you mean `untouched`?",
            ],
        );
        check(
            "axes: ¦[cloud_messaging]\nsteps: [{ idle: 1s }]\n",
            &["expected a mapping, found a list"],
        );
        check(
            "axes: { cloud_messaging: [off] }\nsteps: [{ idle: 1s }]\n",
            &[],
        );
        check(
            "axes: { cloud_messaging: off }\nsteps: [{ idle: 1s }]\n",
            &[],
        );
    }

    #[test]
    fn steps() {
        check(
            "steps:\n  - ¦wfi: on\n  - wifi: ¦true\n  - wifi: ¦onn\n  - ¦wifi\n  - ¦{}\n  - ¦timeout: 5s\n",
            &[
                "unknown key `wfi` in a step | did you mean `wifi`?",
                "expected one of `on`, `off`, found `true` | did you mean `on`?",
                "expected one of `on`, `off`, found `onn` | did you mean `on`?",
                "expected a step, found `wifi` | a step is written `- wifi: …`",
                "this step does nothing | name what it does, for example `- add_contact: contact-1`",
                "this step does nothing",
            ],
        );
        check(
            "steps:\n  - idle: ¦120\n  - idle: ¦0s\n  - idle: ¦2 minutes\n  - { idle: 1s, timeout: ¦5 }\n  - idle: 1s\n    ¦wifi: on\n",
            &[
                "expected a duration, found the number 120 | a duration has a unit: `120s` or `120m`",
                "expected a duration longer than zero",
                "expected a duration, found `2 minutes` | a duration is written `500ms`, `5s`, `2m` or `24h`",
                "expected a duration, found the number 5",
                "a step does one thing: this one has `idle` and `wifi` | begin a step of its own: `- wifi: …`",
            ],
        );
        check(
            "steps:\n  - ¦tap: OK\n  - ¦include: other.yaml\n  - { ¦repeat: 3, steps: [] }\n",
            &[
                "`tap` is not supported by this version",
                "`include` is not supported by this version",
                "`repeat` is not supported by this version",
            ],
        );
    }

    #[test]
    fn references_of_steps() {
        check(
            "persona: { contacts: 1, peers: 2 }\nsteps:\n  - add_contact: ¦contact-2\n  - add_contact: ¦contact1\n  - add_contact: ¦peer-1\n  - send_sms: ¦peer-1\n  - send_sms: { to: ¦peer-3 }\n  - receive_sms: { ¦¦to: peer-1 }\n",
            &[
                "there is no `contact-2` | the only one is `contact-1`; plant it: `persona: { contacts: 2 }`",
                "expected a contact, found `contact1` | did you mean `contact-1`?",
                "expected a contact, found `peer-1` | for example `contact-1`",
                "expected a sent message, found `peer-1` | for example: `send_sms: { to: peer-1 }`",
                "there is no `peer-3` | they end at `peer-2`; plant it: `persona: { peers: 3 }`",
                "unknown key `to` in a received message | known keys: `from`",
                "missing key `from` in a received message | `from` is the peer who writes; for example: `receive_sms: { from: peer-1 }`",
            ],
        );
        check(
            "persona: { peers: 1 }\nsteps:\n  - call: { ¦to: peer-1 }\n  - call: { to: ¦peer-0, for: ¦5 }\n  - call¦:\n",
            &[
                "missing key `for` in a call",
                "expected a peer, found `peer-0` | did you mean `peer-1`?",
                "expected a duration, found the number 5",
                "expected a call, found nothing",
            ],
        );
        check(
            "steps:\n  - add_contact: ¦contact-1\n",
            &["there is no `contact-1` | plant it: `persona: { contacts: 1 }`"],
        );
        check(
            "steps:\n  - toggle: { cloud_messaging: ¦untouched }\n  - toggle: { ¦cloud: on }\n  - toggle: ¦cloud_messaging\n  - toggle: ¦{}\n",
            &[
                "expected one of `on`, `off`, found `untouched`",
                "there is no toggle `cloud` | did you mean `cloud_messaging`?",
                "expected a toggle and its state, found `cloud_messaging` | for example `toggle: { cloud_messaging: on }`",
                "expected one toggle and its state, found a mapping",
            ],
        );
        check(
            "steps:\n  - shell: ¦ls\n  - shell: { command: ls, undo: ls, ¦changes: nothing }\n  - shell: { command: ¦'', changes: ¦none }\n  - shell: { ¦comand: ls }\n",
            &[
                "expected a shell step, found `ls` | for example: `shell: { command: id, changes: nothing }`",
                "`undo` and `changes: nothing` contradict each other | keep one of them",
                "expected text, found only blanks",
                "expected `nothing`, found `none`",
                "unknown key `comand` in a shell step | did you mean `command`?",
            ],
        );
    }

    #[test]
    fn expectations() {
        let steps = "persona: { contacts: 1 }\nsteps: [{ idle: 1s }]\nexpect:\n";
        let with = |lines: &str, expected: &[&str]| check(&format!("{steps}{lines}"), expected);
        with(
            "  - { id: a, never_sent: [¦imie, contacts, contact-1, contact-1.phone, imei-2, token-1] }\n",
            &["there is no datum or group `imie` | did you mean `imei`?"],
        );
        with(
            "  - { id: a, never_sent: [¦contact-2.phone, ¦contact-1.fone, ¦message-1, ¦contact-0, ¦everything, ¦¦peer-1.name] }\n",
            &[
                "there is no `contact-2` | the only one is `contact-1`; plant it: `persona: { contacts: 2 }`",
                "a contact has no `fone` | write `contact-1.name` or `contact-1.phone`",
                "there is no `message-1` | a message is planted by each `send_sms` and `receive_sms` step",
                "there is no datum or group `contact-0` | did you mean `contact-1`?",
                "there is no datum or group `everything` | groups are `imei`, `imsi`, `iccid`,",
                "there is no `peer-1` | plant it: `persona: { peers: 1 }`",
                "a peer has no `name` | write `peer-1.phone`",
            ],
        );
        with(
            "  - { id: a, never_sent: imei }\n  - { id: ¦a, never_clear: imei }\n  - { ¦never_sent: imei }\n  - { id: ¦A B, only_to: x.org }\n",
            &[
                "id `a` is taken: first at line 7, column 11, and again here | give each its own id",
                "missing key `id` in an expectation",
                "`A B` is not fit for an id | use lower-case letters, digits, `-` and `_`, at most 80: `a-b`",
            ],
        );
        with(
            "  - { ¦id: a }\n  - { id: b, ¦never_sent: [], ¦only_to: [] }\n  - { id: c, ¦never_send: imei }\n  - ¦silent\n",
            &[
                "this expectation expects nothing | say `never_sent`, `never_clear` or `only_to`",
                "`never_sent` is empty | name data or groups, such as `[imei, contacts]`",
                "`only_to` is empty | name the hosts that may get any",
                "unknown key `never_send` in an expectation | did you mean `never_sent`?",
                "expected an expectation, found `silent`",
            ],
        );
        with(
            "  - { id: a, only_to: [¦\"https://x.org/\", ¦\"*\", ¦5] }\n",
            &[
                "`https://x.org/` is not a host | write `x.org`: a name alone, or `*.` and a name",
                "`*` is not a host",
                "expected text, found the number 5",
            ],
        );
        with(
            "  - id: a\n    never_sent: imei\n    opaque_ok: [¦{}, { app: ¦\"com.*\" }, { host: x.org, ¦apps: y }]\n",
            &[
                "this line of `opaque_ok` would accept everything | name an app, a host or both",
                "`com.*` is not a package name | for example `com.android.mms`, in full and without `*`",
                "unknown key `apps` in a line of `opaque_ok` | did you mean `app`?",
            ],
        );
        with(
            "  - { id: a, never_sent: imei, opaque_ok: [{ ¦hosts: x.org }] }\n",
            &["unknown key `hosts` in a line of `opaque_ok` | did you mean `host`?"],
        );
    }

    #[test]
    fn when_is_held_against_the_axes() {
        let head = "axes: { cloud_messaging: [untouched, off] }\nsteps: [{ idle: 1s }]\nexpect:\n";
        let with = |lines: &str, expected: &[&str]| check(&format!("{head}{lines}"), expected);
        with(
            "  - { id: a, when: { cloud_messaging: ¦on }, never_sent: imei }\n",
            &["axis `cloud_messaging` is never `on` | its states are `untouched`, `off`"],
        );
        with(
            "  - { id: a, when: { ¦cloud_mesaging: off }, never_sent: imei }\n",
            &["there is no axis `cloud_mesaging` | did you mean `cloud_messaging`?"],
        );
        with(
            "  - { id: a, when: { ¦cloud_messaging: [] }, never_sent: imei }\n",
            &["`cloud_messaging` has no states here, so it never holds"],
        );
        with(
            "  - { id: a, when: { cloud_messaging: [off, ¦of] }, never_sent: imei }\n",
            &["expected one of `untouched`, `off`, `on`, found `of` | did you mean `off`?"],
        );
        with(
            "  - { id: a, when: ¦off, never_sent: imei }\n",
            &["expected a mapping, found `off`"],
        );
        check(
            "steps: [{ idle: 1s }]\nexpect:\n  - { id: a, when: { ¦cloud_messaging: on }, never_sent: imei }\n",
            &[
                "there is no axis `cloud_messaging` | this scenario has no axes: add the toggle to `axes`",
            ],
        );
    }

    #[test]
    fn claims() {
        let head =
            "steps: [{ idle: 1s }]\nexpect:\n  - { id: silent, never_sent: imei }\nclaims:\n";
        let with = |lines: &str, expected: &[&str]| check(&format!("{head}{lines}"), expected);
        with(
            "  - { id: a, by: V, statement: S, holds_if: [¦silnt, ¦other] }\n",
            &[
                "there is no expectation `silnt` | did you mean `silent`?",
                "there is no expectation `other` | known expectations: `silent`",
            ],
        );
        with(
            "  - { ¦id: a, by: V, statement: S }\n  - { id: b, by: V, statement: S, holds_if: silent, ¦unobservable: x }\n  - { id: c, by: V, statement: S, ¦holds_if: [] }\n",
            &[
                "this claim is not tested | say `holds_if: [expectation]`, or `unobservable:` and why",
                "`holds_if` and `unobservable` contradict each other | keep one of them",
                "`holds_if` is empty | name the expectations that test it",
            ],
        );
        with(
            "  - { ¦id: a, ¦statment: S, unobservable: ¦' ' }\n  - { id: ¦a, by: V, statement: S, unobservable: x }\n",
            &[
                "missing key `by` in a claim",
                "unknown key `statment` in a claim | did you mean `statement`?",
                "expected text, found only blanks",
                "id `a` is taken: first at line 8, column 11, and again here",
            ],
        );
        with(
            "  - { id: a, by: V, statement: S, ¦hold_if: silent }\n",
            &["unknown key `hold_if` in a claim | did you mean `holds_if`?"],
        );
        // An expectation that is wrong is there by its id: the claim is not blamed for it.
        check(
            "steps: [{ idle: 1s }]\nexpect:\n  - { id: a, never_sent: ¦imie }\nclaims:\n  - { id: b, by: V, statement: S, holds_if: a }\n",
            &["there is no datum or group `imie`"],
        );
    }

    #[test]
    fn hostile_words_are_shown_harmlessly() {
        check(
            "steps: [{ idle: 1s }]\n¦\"\\e[2J\\u202e\": 1\n",
            &["unknown key `\\u{1b}[2J\\u{202e}` in a scenario"],
        );
        let long = "z".repeat(500);
        let (_, problems) = parse_scenario(&format!("{HEAD}steps: [{{ wifi: {long} }}]\n"), &[]);
        assert!(!problems.is_empty());
        assert!(
            problems.iter().all(|problem| problem.message.len() < 200),
            "{problems:?}"
        );
    }

    #[test]
    fn toggles() {
        let head = "schema: phonehome/toggle/1\nname: t\ntitle: T\nsummary: S.\nmethods:\n";
        let with =
            |lines: &str, expected: &[&str]| check_toggle(&format!("{head}{lines}"), expected);
        with(
            "  - id: a\n    setting: { namespace: secure, key: k, on: \"1\", off: \"0\" }\n    verify: { command: { command: c, on: \"*enabled\", off: \"*disabled\" } }\n",
            &[],
        );
        with(
            "  - id: a\n    setting: { namespace: ¦secur, key: k, on: ¦1, off: \"0\" }\n    verify: { command: { command: c, on: x, off: ¦x } }\n",
            &[
                "expected one of `system`, `secure`, `global`, found `secur` | did you mean `secure`?",
                "expected text, found the number 1 | put it in quotes: \"1\"",
                "`on` and `off` are the same, so nobody can tell them apart",
            ],
        );
        with(
            "  - ¦id: a\n    verify: ¦{}\n",
            &[
                "a method has neither `preference` nor `setting` | say one of them",
                "`verify` has neither `check_box` nor `command`",
            ],
        );
        with(
            "  - id: a\n    preference: { package: mms!, file: ../x, key: k }\n    ¦setting: {}\n    verify: { check_box: { activity: Settings, text: T }, ¦command: {} }\n",
            &[
                "a method has either `preference` or `setting` | keep one of them",
                "`verify` has either `check_box` or `command` | keep one of them",
            ],
        );
        with(
            "  - id: a\n    when: { ro.build.version.sdk: ¦18, ¦\"a b\": x }\n    preference: { package: ¦mms!, file: ¦../x, key: k }\n    verify: { check_box: { activity: ¦Settings, text: T } }\n",
            &[
                "expected text, found the number 18 | put it in quotes: \"18\"",
                "`a b` is not a system property",
                "`mms!` is not a package name",
                "`../x` is not a preference file",
                "`Settings` is not an activity",
            ],
        );
        with(
            "  - id: a\n    preference: { package: com.x, file: ¦x.xml, key: k }\n    restart: ¦com x\n    verify: { check_box: { activity: com.x/.Y, text: T } }\n",
            &[
                "the file is named without `.xml` | write `x`",
                "`com x` is not a package name",
            ],
        );
        check_toggle(
            "schema: phonehome/toggle/1\nname: t\ntitle: T\nsummary: S.\n¦methods: []\n",
            &["there are no methods"],
        );
        check_toggle(
            "schema: ¦phonehome/scenario/1\nname: t\n",
            &["this is a scenario file | expected `phonehome/toggle/1`"],
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer_with_places_inside_it(
            lines in prop::collection::vec(
                "( |  |    |- |  - |)(schema|name|summary|steps|expect|claims|axes|persona|collect|requires|id|wifi|call|shell|never_sent|when|cloud_messaging|opaque_ok|only_to|holds_if|verify|methods)?(: )?(phonehome/scenario/1|\\[[a-z, ]{0,9}\\]|\\{ [a-z_]{1,9}: [a-z0-9-]{0,9} \\}|on|off|5s|contact-[0-9]{1,12}|\\PC{0,6})?",
                0..14,
            ),
            whole: bool,
        ) {
            let body = lines.join("\n");
            let text = if whole { body } else { format!("{HEAD}steps: [{{ idle: 1s }}]\n{body}") };
            let (scenario, problems) = parse_scenario(&text, &shipped_toggles());
            prop_assert_eq!(scenario.is_some(), problems.is_empty());
            problems.iter().for_each(|problem| drop(shown(&text, problem)));
            let (toggle, problems) = parse_toggle(&text);
            prop_assert_eq!(toggle.is_some(), problems.is_empty());
            problems.iter().for_each(|problem| drop(shown(&text, problem)));
        }
    }
}
