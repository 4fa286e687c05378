//! `HarAnalyzer`: an HTTP archive's bytes in, in chunks of any size; flows, findings and coverage
//! out. Flow N is entry N. It keeps one entry at a time, and opens no files.

use crate::detect::analysis::{Analysis, Input};
use crate::detect::analyzer::{coverage, exchanges};
use crate::detect::detector::Detector;
use crate::detect::part::in_order;
use crate::detect::recording::Recorder;
use crate::detect::traffic::har::{read_entry, unread_entry};
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::Names;
use crate::detect::traffic::record::{FlowRecord, seconds};
use crate::evidence::flow::Flow;
use crate::wire::har::entry::HarEntry;
use crate::wire::har::split::{HarProblem, HarSplitter};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// More problems than this are counted, not kept.
const MAX_PROBLEMS: usize = 64;

/// One analysis under way.
#[derive(Debug)]
pub struct HarAnalyzer<'d> {
    detector: &'d Detector,
    input: String,
    splitter: HarSplitter,
    records: Vec<FlowRecord>,
    ledger: Ledger,
    problems: Vec<String>,
    unlisted: u64,
    digest: Sha256,
    bytes: u64,
}

impl<'d> HarAnalyzer<'d> {
    /// An analysis that searches for what `detector` knows, of the archive named `input`.
    #[must_use]
    pub fn new(detector: &'d Detector, input: String) -> Self {
        Self {
            detector,
            input,
            splitter: HarSplitter::new(),
            records: Vec::new(),
            ledger: Ledger::default(),
            problems: Vec::new(),
            unlisted: 0,
            digest: Sha256::new(),
            bytes: 0,
        }
    }

    /// The same, and so many bytes of what HTTP said are kept; 0 for none.
    #[must_use]
    pub fn recording(mut self, bytes: usize) -> Self {
        self.ledger.recorder = (bytes > 0).then(|| Recorder::new(bytes));
        self
    }

    /// Whether a file that starts so may be an archive: JSON that begins with an object.
    #[must_use]
    pub fn may_start(start: &[u8]) -> bool {
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        start.trim_ascii_start().first() == Some(&b'{')
    }

    /// Takes the archive's next bytes, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        let Self {
            detector,
            splitter,
            records,
            ledger,
            problems,
            unlisted,
            ..
        } = self;
        let mut report = |problem: HarProblem| {
            if problems.len() < MAX_PROBLEMS {
                problems.push(problem.to_string());
            } else {
                *unlisted += 1;
            }
        };
        splitter.handle_bytes(bytes, &mut |raw| {
            let Ok(index) = u32::try_from(records.len()) else {
                ledger.limit("more flows than are told apart");
                return;
            };
            let entry = raw.number;
            let read = match raw.json {
                Some(json) => {
                    HarEntry::parse(json).map_err(|reason| HarProblem::BadEntry { entry, reason })
                }
                None => Err(HarProblem::Oversized { entry }),
            };
            records.push(match read {
                Ok(read) => read_entry(index, &read, detector, ledger, &mut Names::default()),
                Err(problem) => {
                    report(problem);
                    unread_entry(index)
                }
            });
        });
    }

    /// Ends the analysis; why the input is no archive at all, if it is none.
    #[must_use]
    pub fn finish(self) -> (Analysis, Option<HarProblem>) {
        let mut problems = self.problems;
        if self.unlisted > 0 {
            problems.push(format!("{} more problems", self.unlisted));
        }
        let packets = self.splitter.entries();
        let problem = self.splitter.finish();
        problems.extend(problem.as_ref().map(ToString::to_string));
        let times = |of: fn(&FlowRecord) -> u64| {
            let known = self.records.iter().map(of).filter(|at| *at > 0);
            (known.clone().min(), known.max())
        };
        let input = Input {
            path: self.input,
            sha256: HEXLOWER.encode(&self.digest.finalize()),
            packets,
            bytes: self.bytes,
            first: times(|record| record.first).0.map(seconds),
            last: times(|record| record.last).1.map(seconds),
            problems,
            first_flow: 0,
        };
        let numbers = self.records.iter().map(|record| record.index);
        let ids = numbers.map(|index| (index, index)).collect();
        let flows: Vec<Flow> = self
            .records
            .into_iter()
            .map(|record| {
                let id = record.index;
                record.into_flow(id, None)
            })
            .collect();
        let mut coverage = coverage(&self.ledger, &flows);
        coverage.packets = packets;
        coverage.bytes = self.ledger.delivered;
        let analysis = Analysis {
            schema: Analysis::SCHEMA.to_owned(),
            inputs: vec![input],
            flows,
            findings: in_order(self.ledger.findings),
            decoys_found: in_order(self.ledger.decoys_found),
            coverage,
            exchanges: exchanges(self.ledger.recorder, &ids),
        };
        (
            analysis,
            problem.filter(|problem| *problem == HarProblem::NotAnArchive),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::finding::{Direction, Evidence, Finding, Location};
    use crate::evidence::flow::{Application, FlowProtocol, HostFrom, Protection};
    use crate::persona::file::parse_persona;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
        let text = "schema: phonehome/persona/1\ndata:\n  - { id: imei-1, kind: imei, value: \"490154203237518\" }\n  - { id: contact-1.phone, kind: phone, value: \"+447700900123\" }\n";
        Detector::new(&parse_persona(text).0.unwrap())
    });

    fn analyze(text: &[u8], size: usize) -> (Analysis, Option<HarProblem>) {
        let mut analyzer = HarAnalyzer::new(&DETECTOR, "x.har".to_owned());
        for piece in text.chunks(size) {
            analyzer.handle_bytes(piece);
        }
        analyzer.finish()
    }

    fn archive(entries: &[&str]) -> String {
        format!(
            r#"{{"log":{{"version":"1.2","entries":[{}]}}}}"#,
            entries.join(",")
        )
    }

    /// Flow, datum, chain, direction, offset.
    fn lines(findings: &[Finding]) -> Vec<String> {
        let line = |it: &Finding| {
            let way = match it.direction {
                Direction::Out => "out",
                Direction::In => "in",
            };
            format!(
                "{} {} {} {way} {}",
                it.flow,
                it.datum,
                it.chain.join(" "),
                it.offset
            )
        };
        let mut lines: Vec<String> = findings.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn every_part_of_an_entry_is_searched() {
        let text = archive(&[
            r#"{"startedDateTime":"2014-05-13T16:53:20Z","time":1000,"serverIPAddress":"203.0.113.20",
              "request":{"method":"POST","url":"https://api.example.org:8443/u/490154203237518?p=%2B447700900123","httpVersion":"h2",
                "headers":[{"name":":path","value":"/u/490154203237518"},{"name":"X-Id","value":"490154203237518"},{"name":"cookie","value":"a=490154203237518"}],
                "cookies":[{"name":"a","value":"490154203237518"}],"queryString":[{"name":"p","value":"+447700900123"}],
                "postData":{"mimeType":"application/json","text":"eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0=","encoding":"base64"}},
              "response":{"status":200,"headers":[],"content":{"mimeType":"application/json","text":"{\"n\":\"447700900123\"}"}}}"#,
            r#"{"startedDateTime":"2014-05-13T16:53:30Z",
              "request":{"method":"POST","url":"http://example.net/","headers":[],"postData":{"params":[{"name":"n","value":"+44 7700 900123"}]}},
              "response":{"status":101,"headers":[]},
              "_webSocketMessages":[{"type":"send","time":1400000011.25,"opcode":1,"data":"imei=490154203237518"},{"type":"receive","time":1400000012,"opcode":2,"data":"SQFUAjI3UYg="}]}"#,
        ]);
        let (analysis, problem) = analyze(text.as_bytes(), 7);
        assert_eq!(problem, None);
        let expected = [
            "0 contact-1.phone http.body json:n in 6",
            "0 contact-1.phone http.query p percent out 49",
            "0 imei-1 http.body json:imei out 9",
            "0 imei-1 http.cookie a out 2",
            "0 imei-1 http.header x-id out 0",
            "0 imei-1 http.path out 31",
            "1 contact-1.phone http.body n out 0",
            "1 imei-1 websocket.message imei out 5",
        ];
        assert_eq!(lines(&analysis.findings), expected);
        let [first, second] = analysis.flows.as_slice() else {
            panic!("{:#?}", analysis.flows);
        };
        assert_eq!((first.id, first.protocol), (0, FlowProtocol::Har));
        assert_eq!(first.server, "203.0.113.20:8443");
        assert_eq!(first.host.as_deref(), Some("api.example.org"));
        assert_eq!(first.host_from, Some(HostFrom::Har));
        assert_eq!(first.application, Application::Http2);
        assert_eq!(first.protection, Protection::Tls);
        // date -u -d 2014-05-13T16:53:20Z +%s
        assert_eq!((first.first, first.last), (1.4e9, 1.4e9 + 1.0));
        assert_eq!(second.application, Application::Websocket);
        assert_eq!(second.protection, Protection::Clear);
        let sent = analysis
            .findings
            .iter()
            .find(|it| it.chain[0] == "websocket.message");
        assert_eq!(sent.unwrap().at, 1_400_000_011.25);
        let in_path = analysis
            .findings
            .iter()
            .find(|it| it.location == Location::Path);
        let in_path = in_path.unwrap();
        assert_eq!(in_path.evidence, Evidence::Proof);
        assert_eq!(in_path.protection, Protection::Tls);
        assert_eq!(
            in_path.request.as_deref(),
            Some("POST /u/<imei-1>?p=<contact-1.phone>")
        );
        assert_eq!(analysis.inputs[0].packets, 2);
    }

    #[test]
    fn a_bad_entry_keeps_its_number_and_the_others_are_read() {
        let good = r#"{"request":{"url":"http://a.example/?i=490154203237518"}}"#;
        let text = archive(&[good, r#"{"request":nonsense}"#, good]);
        let (analysis, problem) = analyze(text.as_bytes(), 1000);
        assert_eq!(problem, None);
        let flows: Vec<u32> = analysis.findings.iter().map(|it| it.flow).collect();
        assert_eq!(flows, [0, 2]);
        assert_eq!(analysis.flows.len(), 3);
        assert_eq!(
            analysis.inputs[0].problems,
            ["entry 1 cannot be read: no JSON at its line 1, column 13"]
        );
    }

    #[test]
    fn a_body_that_was_left_out_is_missing() {
        let cases = [
            (r#"{"request":{"bodySize":7},"response":{}}"#, 7),
            (r#"{"response":{"bodySize":-1,"content":{"size":9}}}"#, 9),
            (r#"{"response":{"bodySize":0,"content":{"size":9}}}"#, 0),
            (
                r#"{"response":{"bodySize":9,"content":{"size":9,"text":"123456789"}}}"#,
                0,
            ),
        ];
        for (entry, missing) in cases {
            let (analysis, _) = analyze(archive(&[entry]).as_bytes(), 1000);
            assert_eq!(analysis.coverage.bytes_missing, missing, "{entry}");
            assert_eq!(analysis.coverage.flows_with_gaps, u32::from(missing > 0));
        }
    }

    proptest! {
        #[test]
        fn a_cut_archive_is_analysed_as_far_as_it_goes(len in 0usize..200, size in 1usize..50) {
            let good = r#"{"request":{"url":"http://a.example/?i=490154203237518"}}"#;
            let text = archive(&[good, good]);
            let whole = text.len() - 1;
            let len = len.min(whole);
            let (analysis, _) = analyze(&text.as_bytes()[..len], size);
            let complete = text.as_bytes()[..len].windows(good.len()).filter(|it| *it == good.as_bytes()).count();
            prop_assert_eq!(analysis.findings.len(), complete);
            prop_assert_eq!(analysis.inputs[0].problems.len(), 1);
        }
    }
}
