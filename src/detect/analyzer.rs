//! `Analyzer`: a capture's bytes in, in chunks of any size; flows, findings and coverage out.
//! Memory is bounded whatever the capture claims. It opens no files.

use crate::detect::analysis::{Analysis, Input};
use crate::detect::detector::Detector;
use crate::detect::options::{Marks, Options, SocketOwner};
use crate::detect::part::{Part, Share};
use crate::detect::recording::{RecordedExchange, Recorder};
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::record::{FlowRecord, seconds};
use crate::detect::traffic::table::FlowTable;
use crate::evidence::coverage::Coverage;
use crate::evidence::flow::{App, Flow};
use crate::evidence::gap::{Gap, Observer};
use crate::wire::pcap::problem::CaptureProblem;
use crate::wire::pcap::reader::{CaptureReader, Record};
use core::net::{IpAddr, SocketAddr};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A Decryption Secrets Block that holds a key log (pcapng draft, 4.7).
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// One analysis under way.
#[derive(Debug)]
pub struct Analyzer<'d> {
    detector: &'d Detector,
    options: Options,
    reader: CaptureReader,
    table: FlowTable,
    digest: Sha256,
    bytes: u64,
    packets: u64,
    first: Option<u64>,
    last: Option<u64>,
}

/// What an analysis ends with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Flows, findings (each with its time by the capture's clock) and coverage.
    pub analysis: Analysis,
    /// What was not seen.
    pub gaps: Vec<Gap>,
    /// When each mark was first asked for, by name; seconds since the Unix epoch by the capture's
    /// clock. A mark that was not seen is absent.
    pub marks: BTreeMap<String, f64>,
}

impl Outcome {
    /// Leaves out what lies outside the first and the last mark, if both were seen: a capture begins
    /// earlier, so that the names of connections that are open at the first mark are known, and ends
    /// later. The flows that stay are counted from 0 again.
    pub fn keep_window(&mut self, window: &Marks) {
        let time = |mark: Option<&String>| mark.and_then(|mark| self.marks.get(mark)).copied();
        let (Some(from), Some(to)) = (time(window.names.first()), time(window.names.last())) else {
            return;
        };
        let analysis = &mut self.analysis;
        analysis
            .flows
            .retain(|flow| flow.last >= from && flow.first <= to);
        let mut ids = BTreeMap::new();
        for (id, flow) in (0..).zip(&mut analysis.flows) {
            ids.insert(flow.id, id);
            flow.id = id;
        }
        for exchange in &mut analysis.exchanges {
            exchange.flow = exchange.flow.and_then(|flow| ids.get(&flow).copied());
        }
        for findings in [&mut analysis.findings, &mut analysis.decoys_found] {
            findings.retain(|it| it.at >= from && it.at <= to && ids.contains_key(&it.flow));
            for finding in findings {
                finding.flow = ids.get(&finding.flow).copied().unwrap_or_default();
            }
        }
    }

    /// What the marks say was not seen: a capture is trusted between the first and the last only.
    #[must_use]
    pub fn mark_gaps(&self, window: &Marks) -> Vec<Gap> {
        mark_gaps(&window.names, &|name| self.marks.contains_key(name))
    }
}

impl<'d> Analyzer<'d> {
    /// An analysis that searches for what `detector` knows.
    #[must_use]
    pub fn new(detector: &'d Detector, mut options: Options) -> Self {
        let keys = std::mem::take(&mut options.keys);
        let mut table = FlowTable::with_keys(keys);
        let record_bytes = options.record_bytes;
        table.ledger.recorder = (record_bytes > 0).then(|| Recorder::new(record_bytes));
        Self {
            detector,
            options,
            reader: CaptureReader::new(),
            table,
            digest: Sha256::new(),
            bytes: 0,
            packets: 0,
            first: None,
            last: None,
        }
    }

    /// Takes the capture's next bytes: pcap or pcapng, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.options.portion.is_first() {
            self.digest.update(bytes);
        }
        self.bytes += bytes.len() as u64;
        let Self {
            detector,
            options,
            reader,
            table,
            packets,
            first,
            last,
            ..
        } = self;
        reader.handle_records(bytes, &mut |record| match record {
            Record::Frame(frame) => {
                *packets += 1;
                *first = Some(first.map_or(frame.at, |known| known.min(frame.at)));
                *last = Some(last.map_or(frame.at, |known| known.max(frame.at)));
                table.handle_frame(&frame, detector, options);
            }
            Record::Name { address, name } => table.handle_name(address, name),
            Record::App { uid, package } => table.handle_app(uid, package),
            Record::Secrets {
                kind: TLS_KEY_LOG,
                bytes,
            } => table.handle_keys(bytes),
            Record::Secrets { .. } => {}
        });
    }

    /// Ends the analysis. Of one that reads a portion this is all that is known of the whole:
    /// [`Analyzer::finish_part`] gives what can be joined.
    #[must_use]
    pub fn finish(self) -> Outcome {
        self.finish_part().into_outcome()
    }

    /// Ends an analysis that may be one of several of the same bytes.
    #[must_use]
    pub fn finish_part(mut self) -> Part {
        self.reader.finish();
        self.table.finish(self.detector, &self.options);
        let portion = self.options.portion;
        let problems = self.reader.problems().to_vec();
        let input = Input {
            path: self.options.input.clone(),
            sha256: HEXLOWER.encode(&self.digest.finalize()),
            packets: self.packets,
            bytes: self.bytes,
            first: self.first.map(seconds),
            last: self.last.map(seconds),
            problems: problems.iter().map(ToString::to_string).collect(),
            first_flow: 0,
        };
        let (shares, apps, ledger) = self.table.into_parts();
        let told = shares.into_iter().enumerate();
        let told = told.filter(|(share, _)| portion.tells(*share));
        let mut shares: Vec<Share> = told
            .map(|(share, (records, ledger))| Share::new(share, records, ledger))
            .collect();
        if portion.is_first() {
            shares.push(Share::new(usize::MAX, Vec::new(), ledger));
        }
        Part {
            portion,
            input,
            capture_gaps: problems.iter().map(capture_gap).collect(),
            shares,
            apps,
            owners: self.options.owners,
            window: self.options.window,
        }
    }
}

/// The app whose socket a flow used; `None` if it is not known, or two claim it.
pub(super) fn owner(record: &FlowRecord, owners: &[SocketOwner]) -> Option<App> {
    let (local, remote) = match record.is_client_handset {
        true => (record.client, record.server),
        false => (record.server, record.client),
    };
    let is_any = |address: IpAddr| address.to_canonical().is_unspecified();
    let same = |known: SocketAddr, seen: SocketAddr| {
        known.port() == seen.port() && known.ip().to_canonical() == seen.ip().to_canonical()
    };
    let matching = |is_exact: bool| {
        let mut apps = owners
            .iter()
            .filter(|it| it.protocol == record.protocol)
            .filter(|it| {
                let is_local = same(it.local, local)
                    || (!is_exact && is_any(it.local.ip()) && it.local.port() == local.port());
                let is_remote = same(it.remote, remote)
                    || (!is_exact && is_any(it.remote.ip()) && it.remote.port() == 0);
                is_local && is_remote
            })
            .map(|it| &it.app);
        let app = apps.next()?;
        apps.all(|other| other.uid == app.uid).then(|| app.clone())
    };
    matching(true).or_else(|| matching(false))
}

pub(super) fn coverage(ledger: &Ledger, flows: &[Flow]) -> Coverage {
    let mut coverage = ledger.coverage.clone();
    coverage.bytes_understood = ledger.delivered.saturating_sub(coverage.bytes_opaque);
    let with_gaps = flows.iter().filter(|flow| flow.gaps > 0).count();
    coverage.flows_with_gaps = u32::try_from(with_gaps).unwrap_or(u32::MAX);
    let unread = ledger.unread.iter();
    coverage.problems = unread
        .map(|(what, count)| format!("{count} {what}"))
        .chain(
            ledger
                .limits
                .iter()
                .map(|(what, count)| format!("limit reached {count} times: {what}")),
        )
        .collect();
    coverage
}

/// What was kept for an archive, with the flows' final numbers.
pub(super) fn exchanges(
    recorder: Option<Recorder>,
    ids: &BTreeMap<u32, u32>,
) -> Vec<RecordedExchange> {
    let mut exchanges = recorder.map(|it| it.exchanges).unwrap_or_default();
    for exchange in &mut exchanges {
        exchange.flow = exchange.flow.and_then(|flow| ids.get(&flow).copied());
    }
    exchanges
}

/// What a problem of the file means for what was seen.
fn capture_gap(problem: &CaptureProblem) -> Gap {
    let reason = match problem {
        CaptureProblem::NotACapture => "the capture is not readable",
        CaptureProblem::Empty => "the capture is empty",
        CaptureProblem::Truncated { .. } => "the capture ends inside a packet",
        CaptureProblem::Damaged { .. }
        | CaptureProblem::BadBlock { .. }
        | CaptureProblem::Oversized { .. }
        | CaptureProblem::UnknownInterface { .. }
        | CaptureProblem::More(_) => "the capture is damaged",
        CaptureProblem::Dropped { .. } => "packets were dropped while capturing",
    };
    gap(reason, Some(problem.to_string()))
}

/// A capture is trusted between its two marks only.
pub(super) fn mark_gaps(names: &[String], is_seen: &dyn Fn(&str) -> bool) -> Vec<Gap> {
    let missing = |name: &&String| !is_seen(name);
    let mut gaps = Vec::new();
    if names.first().is_some_and(|name| missing(&name)) {
        let reason = "the lookup before the first step is not in the capture";
        gaps.push(gap(reason, None));
    }
    if names.last().is_some_and(|name| missing(&name)) {
        let reason = "the lookup after the last step is not in the capture";
        gaps.push(gap(reason, None));
    }
    let between = names.get(1..names.len().saturating_sub(1));
    let lost = between.unwrap_or_default().iter().filter(missing).count();
    if lost > 0 {
        let reason = "a lookup between two steps is not in the capture";
        gaps.push(gap(reason, Some(format!("{lost} lookups"))));
    }
    gaps
}

pub(super) fn packet_gaps(ledger: &Ledger, coverage: &Coverage) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if coverage.bytes_missing > 0 {
        let detail = format!(
            "{} bytes in {} flows",
            coverage.bytes_missing, coverage.flows_with_gaps
        );
        gaps.push(gap("packets are missing inside flows", Some(detail)));
    }
    for (what, count) in &ledger.unread {
        gaps.push(gap(
            &format!("the capture has {what}"),
            Some(count.to_string()),
        ));
    }
    for (what, count) in &ledger.limits {
        let reason = format!("a limit of the analysis was reached: {what}");
        gaps.push(gap(&reason, Some(count.to_string())));
    }
    gaps
}

fn gap(reason: &str, detail: Option<String>) -> Gap {
    Gap {
        observer: Observer::Packets,
        reason: reason.to_owned(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_possible_truncation,
        reason = "small values of the tests' own"
    )]

    use super::*;
    use crate::base::secret::Secret;
    use crate::detect::finding::{Direction, Evidence, Finding, Location};
    use crate::detect::options::{Exclusion, Portion};
    use crate::evidence::flow::{Application, FlowProtocol, HostFrom, Protection};
    use crate::persona::datum::{Datum, DatumKind, Origin, Persona};
    use etherparse::PacketBuilder;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    const HANDSET: &str = "192.0.2.42";
    const RESOLVER: &str = "192.0.2.1:53";
    const SERVER: &str = "203.0.113.20:80";
    const START: u64 = 1_400_000_000;

    static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
        let datum = |id: &str, kind, value: &str| Datum {
            id: id.to_owned(),
            kind,
            value: Secret::new(value.to_owned()),
            group: None,
            origin: Origin::Given,
        };
        Detector::new(&Persona {
            data: vec![
                datum("imei-1", DatumKind::Imei, "490154203237518"),
                datum("contact-1.phone", DatumKind::Phone, "+447700900123"),
                datum("contact-1.name", DatumKind::Name, "Ada Quillfeather"),
                datum("account-1", DatumKind::Account, "quillfeather42"),
            ],
            decoys: vec![datum("decoy-1", DatumKind::Phone, "+447700900456")],
            ..Persona::default()
        })
    });

    /// A capture being made: raw IP, one packet a second.
    #[derive(Clone, Default)]
    struct Capture {
        packets: Vec<Vec<u8>>,
        streams: BTreeMap<(String, String), u32>,
    }

    impl Capture {
        fn udp(&mut self, from: &str, to: &str, payload: &[u8]) -> &mut Self {
            let (from, to) = ends(from, to);
            let mut packet = Vec::new();
            PacketBuilder::ipv4(from.0, to.0, 64)
                .udp(from.1, to.1)
                .write(&mut packet, payload)
                .unwrap();
            self.packets.push(packet);
            self
        }

        /// A segment; `flags` of `S`, `A`, `F`, `R`. Sequence numbers follow from what was sent.
        fn tcp(&mut self, from: &str, to: &str, flags: &str, payload: &[u8]) -> &mut Self {
            let key = |a: &str, b: &str| (a.to_owned(), b.to_owned());
            let acknowledged = self.streams.get(&key(to, from)).copied().unwrap_or(7000);
            let next = self.streams.entry(key(from, to)).or_insert(7000);
            let sequence = *next;
            let extra = flags.matches(['S', 'F']).count() as u32;
            *next = next.wrapping_add(payload.len() as u32 + extra);
            let (from, to) = ends(from, to);
            let mut builder = PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, sequence, 9);
            for flag in flags.chars() {
                builder = match flag {
                    'S' => builder.syn(),
                    'A' => builder.ack(acknowledged),
                    'F' => builder.fin(),
                    _ => builder.rst(),
                };
            }
            let mut packet = Vec::new();
            builder.write(&mut packet, payload).unwrap();
            self.packets.push(packet);
            self
        }

        fn open(&mut self, client: &str, server: &str) -> &mut Self {
            self.tcp(client, server, "S", b"")
                .tcp(server, client, "SA", b"")
                .tcp(client, server, "A", b"")
        }

        fn close(&mut self, client: &str, server: &str) -> &mut Self {
            self.tcp(client, server, "FA", b"")
                .tcp(server, client, "FA", b"")
                .tcp(client, server, "A", b"")
        }

        fn exchange(&mut self, port: u16, request: &str, response: &str) -> &mut Self {
            let client = format!("{HANDSET}:{port}");
            self.open(&client, SERVER);
            for part in request.as_bytes().chunks(40) {
                self.tcp(&client, SERVER, "A", part);
            }
            self.tcp(SERVER, &client, "A", response.as_bytes())
                .close(&client, SERVER)
        }

        /// As a pcap file, after the pcap draft.
        fn pcap(&self) -> Vec<u8> {
            let word = |value: u32| value.to_le_bytes();
            let mut file = [word(0xa1b2_c3d4), [2, 0, 4, 0], word(0), word(0)].concat();
            file.extend([word(65535), word(101)].concat());
            for (second, packet) in (START as u32..).zip(&self.packets) {
                let len = word(packet.len() as u32);
                file.extend([word(second), word(0), len, len].concat());
                file.extend(packet);
            }
            file
        }

        fn analyze(&self, options: Options) -> Outcome {
            analyze(&self.pcap(), options)
        }
    }

    fn ends(from: &str, to: &str) -> (([u8; 4], u16), ([u8; 4], u16)) {
        let end = |text: &str| match text.parse::<SocketAddr>().unwrap() {
            SocketAddr::V4(address) => (address.ip().octets(), address.port()),
            SocketAddr::V6(_) => unreachable!("the tests use IPv4"),
        };
        (end(from), end(to))
    }

    /// In several analyses, each of a portion.
    fn analyze_in(count: usize, file: &[u8], options: &Options) -> Outcome {
        let parts = Portion::all(count).map(|portion| {
            let options = Options {
                portion,
                ..options.clone()
            };
            let mut analyzer = Analyzer::new(&DETECTOR, options);
            for chunk in file.chunks(1000) {
                analyzer.handle_bytes(chunk);
            }
            analyzer.finish_part()
        });
        Part::join(parts.collect()).unwrap()
    }

    #[test]
    fn in_portions_the_outcome_is_the_same() {
        let mut capture = Capture::default();
        for number in 0..40u16 {
            let name = format!("h{}.example.org", number % 7);
            lookup(
                &mut capture,
                30_000 + number,
                &name,
                Some([203, 0, 113, 20]),
            );
            let value = ["490154203237518", "447700900123", "447700900456", "x"];
            let value = value[usize::from(number % 4)];
            let request = format!("GET /a?n={number}&v={value} HTTP/1.1\r\nHost: {name}\r\n\r\n");
            capture.exchange(40_000 + number, &request, "HTTP/1.1 204 No Content\r\n\r\n");
            let (client, server) = (format!("{HANDSET}:{}", 50_000 + number), "203.0.113.9:9999");
            capture.udp(&client, server, format!("v={value}").as_bytes());
        }
        let file = capture.pcap();
        let file = &file[..file.len() - 5];
        let options = marks();
        let whole = analyze(file, options.clone());
        assert!(whole.analysis.findings.len() >= 40 && whole.analysis.decoys_found.len() >= 20);
        assert!(whole.gaps.len() >= 2 && whole.analysis.flows.len() >= 119);
        for count in 1..=Portion::MOST {
            assert_eq!(analyze_in(count, file, &options), whole, "{count}");
        }
    }

    fn analyze(file: &[u8], options: Options) -> Outcome {
        let mut analyzer = Analyzer::new(&DETECTOR, options);
        for piece in file.chunks(1000) {
            analyzer.handle_bytes(piece);
        }
        analyzer.finish()
    }

    /// A query after RFC 1035, 4.1.
    fn query(name: &str) -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(label.len() as u8);
            message.extend(label.as_bytes());
        }
        message.extend([0, 0, 1, 0, 1]);
        message
    }

    /// The answer: an address, or that there is no such name.
    fn response(name: &str, address: Option<[u8; 4]>) -> Vec<u8> {
        let mut message = query(name);
        message[2..4].copy_from_slice(&[0x81, if address.is_some() { 0x80 } else { 0x83 }]);
        if let Some(address) = address {
            message[7] = 1;
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            message.extend(address);
        }
        message
    }

    fn lookup(capture: &mut Capture, port: u16, name: &str, address: Option<[u8; 4]>) {
        let client = format!("{HANDSET}:{port}");
        capture.udp(&client, RESOLVER, &query(name)).udp(
            RESOLVER,
            &client,
            &response(name, address),
        );
    }

    const ACTIVATE: &str = "GET /pass/activate/dev/l6IQUjLsyHVvA6Ap/activating HTTP/1.1\r\n\
        Host: api.account.example.com\r\nCookie: a=b; userId=quillfeather42\r\n\r\n\
        POST /pass/device HTTP/1.1\r\nHost: api.account.example.com\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 61\r\n\r\n\
        imei=490154203237518&phone=%2B447700900123&n=Ada+Quillfeather";

    /// Chains with data, flows and times, one line a finding.
    fn lines(findings: &[Finding]) -> Vec<String> {
        findings
            .iter()
            .map(|it| format!("{} {} {}", it.flow, it.datum, it.chain.join(" ")))
            .collect()
    }

    #[test]
    fn a_request_is_explained() {
        let mut capture = Capture::default();
        lookup(
            &mut capture,
            40_000,
            "api.account.example.com",
            Some([203, 0, 113, 20]),
        );
        let request = "GET /pass/user@id?type=MXPH&externalId=%2B447700900123 HTTP/1.1\r\n\
            Host: api.account.example.com\r\n\r\n";
        capture.exchange(40_001, request, "HTTP/1.1 204 No Content\r\n\r\n");
        let app = App {
            uid: 10_023,
            package: Some("com.android.mms".to_owned()),
        };
        let outcome = capture.analyze(Options {
            owners: vec![SocketOwner {
                protocol: FlowProtocol::Tcp,
                local: "[::ffff:192.0.2.42]:40001".parse().unwrap(),
                remote: "[::ffff:203.0.113.20]:80".parse().unwrap(),
                app: app.clone(),
            }],
            ..Options::default()
        });
        assert_eq!(outcome.gaps, []);
        let [dns, http] = outcome.analysis.flows.as_slice() else {
            panic!("{:#?}", outcome.analysis.flows);
        };
        assert_eq!((dns.id, dns.application), (0, Application::Dns));
        assert_eq!((http.id, http.application), (1, Application::Http1));
        assert_eq!(http.host_from, Some(HostFrom::Http));
        assert_eq!(http.app, Some(app));
        assert_eq!((http.bytes_out, http.bytes_in), (request.len() as u64, 27));
        let expected = Finding {
            datum: "contact-1.phone".to_owned(),
            kind: DatumKind::Phone,
            evidence: Evidence::Proof,
            chain: ["http.query", "externalId", "percent"]
                .map(str::to_owned)
                .to_vec(),
            location: Location::Query,
            direction: Direction::Out,
            flow: 1,
            host: Some("api.account.example.com".to_owned()),
            server: SERVER.to_owned(),
            protection: Protection::Clear,
            // After the lookup's two packets and the three that open the connection, in the third
            // piece of 40 bytes.
            at: (START + 5) as f64,
            request: Some("GET /pass/user@id?type=MXPH&externalId=<contact-1.phone>".to_owned()),
            // After `GET /pass/user@id?type=MXPH&externalId=`.
            offset: 39,
            // The sixth packet, of the first 40 bytes of the request.
            packet: Some(6),
            exchange: None,
            trace: None,
        };
        assert_eq!(outcome.analysis.findings, [expected]);
        let coverage = outcome.analysis.coverage;
        assert_eq!((coverage.bytes_opaque, coverage.bytes_missing), (0, 0));
        assert!(coverage.bytes_understood > 0);
        assert_eq!(coverage.packets, capture.packets.len() as u64);
    }

    #[test]
    fn every_part_of_pipelined_requests_is_searched() {
        let mut capture = Capture::default();
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\
            HTTP/1.1 200 OK\r\nSet-Cookie: id=490154203237518\r\nContent-Length: 13\r\n\r\n+447700900456";
        capture.exchange(40_001, ACTIVATE, response);
        let outcome = capture.analyze(Options::default());
        let expected = [
            "0 imei-1 http.path sha1 base64url[..16]",
            "0 account-1 http.cookie userId",
            "0 imei-1 http.body imei",
            "0 contact-1.phone http.body phone percent",
            "0 contact-1.name http.body n percent",
            "0 imei-1 http.cookie id",
        ];
        let mut found = lines(&outcome.analysis.findings);
        found.sort();
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(found, expected);
        let incoming: Vec<&Finding> = outcome
            .analysis
            .findings
            .iter()
            .filter(|it| it.direction == Direction::In)
            .collect();
        assert_eq!(incoming.len(), 1);
        assert_eq!(incoming[0].request.as_deref(), Some("POST /pass/device"));
        let decoys = lines(&outcome.analysis.decoys_found);
        assert_eq!(decoys, ["0 decoy-1 http.body"]);
        assert_eq!(outcome.gaps, []);
    }

    /// RFC 9112, 3.2.2: what a proxy is sent.
    #[test]
    fn the_host_of_an_absolute_target_is_searched_and_masked() {
        for head in ["", "Host: other.example\r\n"] {
            let target = "http://490154203237518.z.example/a";
            let request = format!("GET {target} HTTP/1.1\r\n{head}\r\n");
            let mut capture = Capture::default();
            capture.exchange(40_001, &request, "HTTP/1.1 204 No Content\r\n\r\n");
            let findings = capture.analyze(Options::default()).analysis.findings;
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].location, Location::Host);
            let shown = "GET http://<imei-1>.z.example/a";
            assert_eq!(findings[0].request.as_deref(), Some(shown));
        }
    }

    #[test]
    fn tls_shows_its_server_name_and_counts_as_opaque() {
        let hello = HEXLOWER
            .decode(include_str!("testdata/client_hello.hex").trim().as_bytes())
            .unwrap();
        let client = format!("{HANDSET}:40001");
        let server = "203.0.113.20:443";
        let mut capture = Capture::default();
        capture
            .open(&client, server)
            .tcp(&client, server, "A", &hello[..100])
            .tcp(&client, server, "A", &hello[100..])
            .tcp(&client, server, "A", &[23, 3, 3, 0, 5, 1, 2, 3, 4, 5])
            .tcp(server, &client, "A", &[23, 3, 3, 0, 3, 1, 2, 3]);
        let outcome = capture.analyze(Options::default());
        let flow = &outcome.analysis.flows[0];
        assert_eq!(flow.host.as_deref(), Some("api.account.example.org"));
        assert_eq!(flow.host_from, Some(HostFrom::Sni));
        assert_eq!(flow.application, Application::Tls);
        assert_eq!(flow.protection, Protection::Tls);
        assert_eq!(flow.bytes_opaque, 5);
        assert_eq!(outcome.analysis.coverage.bytes_opaque, 8);
        assert_eq!(outcome.gaps, []);
    }

    #[test]
    fn names_and_datagrams_are_searched() {
        let mut capture = Capture::default();
        lookup(&mut capture, 40_000, "i490154203237518.example.com", None);
        capture.udp(
            "192.0.2.42:9999",
            "203.0.113.9:9999",
            b"hello 07700 900123\n",
        );
        capture.udp("192.0.2.42:9998", "203.0.113.9:9998", &[0xff; 40]);
        let outcome = capture.analyze(Options::default());
        let expected = ["0 imei-1 dns.question", "1 contact-1.phone udp.payload"];
        assert_eq!(lines(&outcome.analysis.findings), expected);
        let opaque: Vec<u64> = outcome
            .analysis
            .flows
            .iter()
            .map(|it| it.bytes_opaque)
            .collect();
        assert_eq!(opaque, [0, 0, 40]);
        assert_eq!(outcome.analysis.flows[2].protection, Protection::Opaque);
    }

    #[test]
    fn a_body_whose_coding_is_unknown_is_opaque() {
        let mut capture = Capture::default();
        let request = "POST /a HTTP/1.1\r\nHost: x.example\r\nContent-Encoding: compress\r\n\
            Content-Length: 10\r\n\r\n0123456789";
        capture.exchange(40_001, request, "HTTP/1.1 204 No Content\r\n\r\n");
        let outcome = capture.analyze(Options::default());
        assert_eq!(outcome.analysis.flows[0].bytes_opaque, 10);
        assert_eq!(outcome.analysis.flows[0].protection, Protection::Clear);
    }

    fn marks() -> Options {
        let names = ["m1.example.net", "m2.example.net", "m3.example.net"];
        Options {
            window: Some(Marks {
                names: names.map(str::to_owned).to_vec(),
            }),
            ..Options::default()
        }
    }

    fn reasons(outcome: &Outcome) -> Vec<&str> {
        outcome.gaps.iter().map(|gap| gap.reason.as_str()).collect()
    }

    #[test]
    fn marks_bound_what_is_trusted_and_are_no_flows() {
        let mut capture = Capture::default();
        lookup(&mut capture, 40_000, "m1.example.net", None);
        lookup(&mut capture, 40_001, "M2.example.net.lan", None);
        capture.exchange(40_002, ACTIVATE, "");
        lookup(&mut capture, 40_003, "m3.example.net", None);
        let outcome = capture.analyze(marks());
        assert_eq!(reasons(&outcome), Vec::<&str>::new());
        assert_eq!(outcome.analysis.flows.len(), 1);
        assert_eq!(outcome.analysis.findings[0].flow, 0);
        let times: Vec<f64> = outcome.marks.values().copied().collect();
        assert_eq!(times[..2], [START as f64, (START + 2) as f64]);
        capture.packets.truncate(capture.packets.len() - 2);
        let expected = ["the lookup after the last step is not in the capture"];
        assert_eq!(reasons(&capture.analyze(marks())), expected);
        let mut late = capture.clone();
        late.packets.drain(..4);
        let expected = [
            "a lookup between two steps is not in the capture",
            "the lookup after the last step is not in the capture",
            "the lookup before the first step is not in the capture",
        ];
        assert_eq!(reasons(&late.analyze(marks())), expected);
    }

    #[test]
    fn every_lost_packet_that_carried_bytes_is_a_gap() {
        let mut capture = Capture::default();
        capture.exchange(40_001, ACTIVATE, "HTTP/1.1 204 No Content\r\n\r\n");
        for lost in 0..capture.packets.len() {
            let mut lossy = capture.clone();
            let packet = lossy.packets.remove(lost);
            let outcome = lossy.analyze(Options::default());
            let had_payload = packet.len() > 40;
            let expected: &[&str] = match had_payload {
                true => &["packets are missing inside flows"],
                false => &[],
            };
            assert_eq!(reasons(&outcome), expected, "packet {lost}");
            assert_eq!(
                outcome.analysis.coverage.bytes_missing,
                packet.len() as u64 - 40
            );
            assert_eq!(outcome.analysis.flows.len(), 1, "packet {lost}");
        }
    }

    #[test]
    fn our_own_connection_is_left_out() {
        let mut capture = Capture::default();
        capture.open("198.51.100.7:50000", "192.0.2.42:5555");
        capture.tcp(
            "198.51.100.7:50000",
            "192.0.2.42:5555",
            "A",
            b"+447700900123",
        );
        capture.exchange(40_001, ACTIVATE, "");
        let exclusion = Exclusion {
            handset_port: 5555,
            peer_address: Some("198.51.100.7".parse().unwrap()),
            peer_port: None,
        };
        let outcome = capture.analyze(Options {
            exclude: vec![exclusion],
            ..Options::default()
        });
        assert_eq!(outcome.analysis.flows.len(), 1);
        assert_eq!(outcome.analysis.coverage.bytes_excluded, 13);
        let counted = outcome.analysis.coverage.packets;
        assert_eq!(counted, capture.packets.len() as u64 - 4);
        assert!(
            outcome
                .analysis
                .findings
                .iter()
                .all(|it| it.server == SERVER)
        );
    }

    #[test]
    fn a_connection_to_the_handset_sends_out_what_the_server_sends() {
        let mut capture = Capture::default();
        let (peer, handset) = ("198.51.100.7:50000", "192.0.2.42:8080");
        capture
            .open(peer, handset)
            .tcp(peer, handset, "A", b"GET / HTTP/1.1\r\n\r\n")
            .tcp(handset, peer, "A", b"HTTP/1.1 200 OK\r\n\r\n+447700900123");
        let outcome = capture.analyze(Options {
            handset_addresses: vec![HANDSET.parse().unwrap()],
            ..Options::default()
        });
        assert_eq!(outcome.analysis.findings[0].direction, Direction::Out);
        assert_eq!(outcome.analysis.flows[0].client, peer);
    }

    #[test]
    fn what_stays_inside_is_no_flow() {
        let mut capture = Capture::default();
        capture.udp("127.0.0.1:9999", "127.0.0.1:9998", b"+447700900123");
        let known = Options {
            handset_addresses: vec![HANDSET.parse().unwrap()],
            ..Options::default()
        };
        assert_eq!(capture.analyze(known).analysis.flows, []);
        assert_eq!(capture.analyze(Options::default()).analysis.flows.len(), 1);
    }

    #[test]
    fn a_connection_from_before_the_capture_is_read_from_where_it_starts() {
        let client = format!("{HANDSET}:40001");
        let mut capture = Capture::default();
        capture
            .tcp(SERVER, &client, "A", b"the end of a response")
            .tcp(&client, SERVER, "A", b"the end of a body")
            .tcp(&client, SERVER, "A", b"GET /447700900123 HTTP/1.1\r\n\r\n");
        let outcome = capture.analyze(Options::default());
        assert_eq!(
            lines(&outcome.analysis.findings),
            ["0 contact-1.phone http.path"]
        );
        assert_eq!(outcome.analysis.flows[0].client, client);
        assert_eq!(outcome.gaps, []);
    }

    #[test]
    fn a_tunnel_is_read_as_what_it_carries() {
        let hello = HEXLOWER
            .decode(include_str!("testdata/client_hello.hex").trim().as_bytes())
            .unwrap();
        let client = format!("{HANDSET}:40001");
        let mut capture = Capture::default();
        capture
            .open(&client, SERVER)
            .tcp(
                &client,
                SERVER,
                "A",
                b"CONNECT 447700900123.example:443 HTTP/1.1\r\n\r\n",
            )
            .tcp(SERVER, &client, "A", b"HTTP/1.1 200 OK\r\n\r\n")
            .tcp(&client, SERVER, "A", &hello)
            .tcp(SERVER, &client, "A", &[23, 3, 3, 0, 2, 1, 2]);
        let outcome = capture.analyze(Options::default());
        assert_eq!(outcome.analysis.findings.len(), 1);
        let flow = &outcome.analysis.flows[0];
        assert_eq!(flow.application, Application::Tls);
        assert_eq!(flow.host.as_deref(), Some("447700900123.example"));
        assert_eq!(outcome.analysis.coverage.bytes_opaque, 2);
    }

    #[test]
    fn dns_over_tcp_is_dns() {
        let client = format!("{HANDSET}:40001");
        let message = query("i490154203237518.example.com");
        let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        let mut capture = Capture::default();
        capture.open(&client, RESOLVER);
        for byte in &framed {
            capture.tcp(&client, RESOLVER, "A", &[*byte]);
        }
        capture.tcp(&client, RESOLVER, "A", &framed);
        let outcome = capture.analyze(Options::default());
        let expected = ["0 imei-1 dns.question", "0 imei-1 dns.question"];
        assert_eq!(lines(&outcome.analysis.findings), expected);
        assert_eq!(outcome.analysis.flows[0].application, Application::Dns);
    }

    #[test]
    fn an_unknown_protocol_is_searched_turn_by_turn() {
        let client = format!("{HANDSET}:40001");
        let mut capture = Capture::default();
        capture.open(&client, SERVER);
        for _ in 0..2 {
            capture
                .tcp(&client, SERVER, "A", b"put 4477009")
                .tcp(&client, SERVER, "A", b"00123\n")
                .tcp(SERVER, &client, "A", b"ok\n");
        }
        let outcome = capture.analyze(Options::default());
        let times: Vec<f64> = outcome.analysis.findings.iter().map(|it| it.at).collect();
        // When the first byte of each passed.
        assert_eq!(times, [(START + 3) as f64, (START + 6) as f64]);
        assert_eq!(outcome.analysis.flows[0].protection, Protection::Clear);
    }

    #[test]
    fn ports_that_are_used_again_make_another_flow() {
        let mut capture = Capture::default();
        capture.exchange(40_001, ACTIVATE, "HTTP/1.1 204 No Content\r\n\r\n");
        capture
            .streams
            .values_mut()
            .for_each(|next| *next += 100_000);
        capture.exchange(40_001, ACTIVATE, "HTTP/1.1 204 No Content\r\n\r\n");
        let outcome = capture.analyze(Options::default());
        assert_eq!(outcome.analysis.flows.len(), 2);
        let flows: Vec<u32> = outcome.analysis.findings.iter().map(|it| it.flow).collect();
        assert_eq!(flows, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
        assert_eq!(outcome.gaps, []);
    }

    #[test]
    fn a_forged_end_hides_nothing() {
        let client = format!("{HANDSET}:40001");
        for forged in ["R", "FA"] {
            let mut capture = Capture::default();
            capture.open(&client, SERVER);
            capture.tcp(&client, SERVER, forged, b"");
            capture.tcp(SERVER, &client, forged, b"");
            // The forged FIN took no sequence number of the real stream.
            let next = capture
                .streams
                .get_mut(&(client.clone(), SERVER.to_owned()));
            *next.unwrap() -= u32::from(forged == "FA");
            capture.tcp(&client, SERVER, "A", b"GET /447700900123 HTTP/1.1\r\n\r\n");
            let outcome = capture.analyze(Options::default());
            assert_eq!(outcome.analysis.findings.len(), 1, "{forged}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_file_is_a_gap() {
        let mut capture = Capture::default();
        capture.exchange(40_001, ACTIVATE, "");
        let file = capture.pcap();
        let cut = analyze(&file[..file.len() - 1], Options::default());
        assert_eq!(reasons(&cut), ["the capture ends inside a packet"]);
        assert_eq!(cut.analysis.findings.len(), 5);
        let expected = ["the capture is empty"];
        assert_eq!(reasons(&analyze(&[], Options::default())), expected);
        let mut esp = capture.clone();
        esp.packets[4][9] = 50;
        let expected = [
            "packets are missing inside flows",
            "the capture has packets of IP protocol 50, which is not read",
        ];
        assert_eq!(reasons(&esp.analyze(Options::default())), expected);
    }

    #[test]
    fn more_connections_than_are_followed_at_once_are_read_on() {
        let mut capture = Capture::default();
        let client = |port: u16| format!("{HANDSET}:{port}");
        for port in 1000..6000 {
            capture.tcp(&client(port), SERVER, "S", b"");
        }
        for port in 1000..6000 {
            capture.tcp(
                &client(port),
                SERVER,
                "A",
                b"GET /447700900123 HTTP/1.1\r\n\r\n",
            );
        }
        let outcome = capture.analyze(Options::default());
        assert_eq!(outcome.analysis.flows.len(), 5000);
        assert_eq!(outcome.analysis.findings.len(), 5000);
    }

    proptest! {
        /// Whatever order the network gives a connection's segments, the same is found.
        #[test]
        fn order_and_repetition_change_nothing(swaps in prop::collection::vec((3usize..12, 3usize..12), 0..10), again in prop::collection::vec(3usize..12, 0..5)) {
            let mut capture = Capture::default();
            capture.exchange(40_001, ACTIVATE, "HTTP/1.1 204 No Content\r\n\r\n");
            let known = capture.analyze(Options::default());
            for (a, b) in swaps {
                capture.packets.swap(a, b);
            }
            for at in again {
                let packet = capture.packets[at].clone();
                capture.packets.push(packet);
            }
            let found = capture.analyze(Options::default());
            let sorted = |outcome: &Outcome| {
                let mut lines = lines(&outcome.analysis.findings);
                lines.sort();
                lines
            };
            prop_assert_eq!(sorted(&found), sorted(&known));
            prop_assert_eq!(found.gaps, vec![]);
        }

        #[test]
        fn any_damage_is_survived(changes: Vec<(u16, u8)>, len in 0usize..3000) {
            let mut capture = Capture::default();
            lookup(&mut capture, 40_000, "api.account.example.com", Some([203, 0, 113, 20]));
            capture.exchange(40_001, ACTIVATE, "HTTP/1.1 204 No Content\r\n\r\n");
            let mut file = capture.pcap();
            file.truncate(len);
            for (at, value) in changes {
                if let Some(byte) = file.get_mut(24 + usize::from(at)) {
                    *byte = value;
                }
            }
            let outcome = analyze(&file, marks());
            prop_assert!(!outcome.gaps.is_empty());
        }

        #[test]
        fn any_payload_is_survived(pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..12), start in prop::sample::select(vec!["", "GET / HTTP/1.1\r\n", "\u{16}\u{3}\u{1}", "CONNECT a:1 HTTP/1.1\r\n\r\n"]), port in prop::sample::select(vec![80u16, 53, 443])) {
            let (client, server) = (format!("{HANDSET}:40001"), format!("203.0.113.20:{port}"));
            let mut capture = Capture::default();
            capture.open(&client, &server);
            capture.tcp(&client, &server, "A", start.as_bytes());
            let mut total = start.len() as u64;
            for (is_client, piece) in &pieces {
                total += piece.len() as u64;
                match is_client {
                    true => capture.tcp(&client, &server, "A", piece),
                    false => capture.tcp(&server, &client, "A", piece),
                };
            }
            let coverage = capture.analyze(Options::default()).analysis.coverage;
            prop_assert_eq!(coverage.bytes_understood + coverage.bytes_opaque, total);
        }
    }
}
