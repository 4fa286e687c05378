//! What is observed of one variant while it is played, and its analysis afterwards.

use crate::android::packages::Packages;
use crate::base::causes::causes;
use crate::detect::analysis::Analysis;
use crate::detect::analyzer::{Analyzer, Outcome};
use crate::detect::detector::Detector;
use crate::detect::options::{Exclusion, Marks};
use crate::detect::search_record::{self, SearchRecord};
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Verified};
use crate::engine::act::toggle::Reading;
use crate::engine::collector::netstats::{Counters, counted};
use crate::engine::collector::packets;
use crate::engine::collector::sockets::SocketCollector;
use crate::engine::event::CancelReason;
use crate::engine::folder::Folder;
use crate::evidence::gap::{Gap, Observer};
use crate::outcome::observed::{Observed, StepObserved, StepOutcome, ToggleObserved};
use crate::persona::datum::Persona;
use crate::ports::store::{Appender, StoreError};
use crate::scenario::permission::Permission;
use crate::scenario::toggle::ToggleState;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::sync::Arc;

/// The evidence file of what was done, one line of JSON for each thing.
const TRANSCRIPT: &str = "transcript.jsonl";

/// The evidence file of what was found.
const ANALYSIS: &str = "analysis.json";

/// What is known of a step whose end was not seen.
const BEGAN: &str = "it began, and was not seen to end";

/// Bytes of a capture analysed at once.
const CHUNK: usize = 256 << 10;

/// Why a variant stops before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The operator wants it.
    Cancelled(CancelReason),
    /// The handset does not do what is asked any more.
    Failed(String),
    /// The evidence cannot be stored.
    NotStored(StoreError),
}

impl Stop {
    /// The handset failed with this error.
    pub(crate) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Failed(causes(error))
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::NotStored(error)
    }
}

/// Everything observed so far.
pub(crate) struct Observation {
    /// Which app owns which socket.
    pub(crate) sockets: SocketCollector,
    /// Byte counters before the window.
    pub(crate) before: Option<Counters>,
    /// Byte counters after it.
    pub(crate) after: Option<Counters>,
    /// Whether a capture was started.
    pub(crate) captured: bool,
    /// The marks looked up so far.
    pub(crate) marks: Vec<String>,
    /// Grants used.
    pub(crate) permissions: BTreeSet<Permission>,
    /// The number of the first journal entry of the step that began last.
    pub(crate) journalled: u64,
    transcript: Box<dyn Appender>,
    gaps: Vec<Gap>,
    steps: Vec<StepObserved>,
    /// Where in `steps` the window begins; the marks stand before these.
    window: Option<usize>,
    toggles: Vec<ToggleObserved>,
    exclude: Vec<Exclusion>,
    is_filtered: bool,
    stopped: Option<String>,
}

/// One line of the transcript.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
enum Line<'a> {
    StepBegins {
        step: &'a str,
    },
    StepEnds {
        step: &'a str,
        evidence: Option<&'a ActEvidence>,
        failed: Option<String>,
    },
    Mark {
        name: &'a str,
    },
    Stopped {
        why: &'a str,
    },
    Recovery {
        tried: &'a str,
        outcome: &'a str,
    },
    Interrupted {
        step: &'a str,
        found: &'a str,
    },
}

impl Observation {
    /// Nothing observed; the evidence files are open.
    pub(crate) fn begin(folder: &Folder, packages: Packages) -> Result<Self, StoreError> {
        Ok(Self {
            sockets: SocketCollector::new(packages, folder)?,
            before: None,
            after: None,
            captured: false,
            marks: Vec::new(),
            permissions: BTreeSet::new(),
            journalled: 0,
            transcript: folder.append(TRANSCRIPT)?,
            gaps: Vec::new(),
            steps: Vec::new(),
            window: None,
            toggles: Vec::new(),
            exclude: Vec::new(),
            is_filtered: false,
            stopped: None,
        })
    }

    /// Our own connections. `is_filtered`: the capture leaves them out by itself.
    pub(crate) fn exclude(&mut self, own: Vec<Exclusion>, is_filtered: bool) {
        self.exclude = own;
        self.is_filtered = is_filtered;
    }

    /// From here on steps stand behind marks.
    pub(crate) fn begin_window(&mut self) {
        self.window = Some(self.steps.len());
    }

    /// A mark was looked up.
    pub(crate) fn mark(&mut self, name: String) -> Result<(), StoreError> {
        self.tell(&Line::Mark { name: &name })?;
        self.marks.push(name);
        Ok(())
    }

    /// Collectors missed something.
    pub(crate) fn gaps(&mut self, gaps: Vec<Gap>) {
        self.gaps.extend(gaps);
    }

    /// What a toggle was found to be before anything was touched.
    pub(crate) fn found(
        &mut self,
        toggle: &str,
        asked: ToggleState,
        method: Option<&str>,
        reading: &Reading,
    ) {
        let found = reading.state().map(state);
        self.toggles.push(ToggleObserved {
            toggle: toggle.to_owned(),
            asked,
            found,
            became: found.filter(|_| asked == ToggleState::Untouched),
            method: method.map(str::to_owned),
            verified_by: None,
            problem: None,
        });
    }

    /// What came of switching a toggle.
    pub(crate) fn switched(
        &mut self,
        toggle: &str,
        asked: ToggleState,
        switched: &Result<ActEvidence, ActError>,
    ) {
        let of = |observed: &&mut ToggleObserved| observed.toggle == toggle;
        let Some(observed) = self.toggles.iter_mut().find(of) else {
            return;
        };
        match switched.as_ref().map(|evidence| &evidence.verified) {
            Ok(Verified::Yes { by }) => {
                observed.became = Some(asked);
                observed.verified_by = Some(by.clone());
            }
            Ok(Verified::No { why }) => observed.problem = Some(why.clone()),
            Err(error) => observed.problem = Some(causes(error)),
        }
    }

    /// A step begins; its first journal entry would have this number.
    pub(crate) fn step_begins(&mut self, step: &str, journalled: u64) -> Result<(), StoreError> {
        self.journalled = journalled;
        self.steps.push(StepObserved {
            id: step.to_owned(),
            // What ends it says otherwise.
            outcome: StepOutcome::Unverified {
                reason: BEGAN.to_owned(),
            },
            started: None,
            ended: None,
            note: None,
        });
        self.tell(&Line::StepBegins { step })
    }

    /// The step that began last has ended.
    pub(crate) fn step_ends(
        &mut self,
        performed: &Result<ActEvidence, ActError>,
    ) -> Result<(), StoreError> {
        let Some(step) = self.steps.last_mut() else {
            return Ok(());
        };
        step.outcome = match performed {
            Ok(ActEvidence {
                verified: Verified::Yes { by },
                ..
            }) => StepOutcome::Verified {
                evidence: by.clone(),
            },
            Ok(ActEvidence {
                verified: Verified::No { why },
                ..
            }) => StepOutcome::Unverified {
                reason: why.clone(),
            },
            Err(error) => StepOutcome::Failed {
                reason: causes(error),
            },
        };
        let evidence = performed.as_ref().ok();
        step.note = evidence
            .filter(|e| !e.notes.is_empty())
            .map(|e| e.notes.join("; "));
        let id = step.id.clone();
        self.tell(&Line::StepEnds {
            step: &id,
            evidence,
            failed: performed.as_ref().err().map(|error| causes(error)),
        })
    }

    /// A way back to a lost handset was tried. That the line cannot be stored is told by what cannot be
    /// stored next; the run record has it too.
    pub(crate) fn recovery(&mut self, tried: &str, outcome: &str) {
        let _ = self.tell(&Line::Recovery { tried, outcome });
    }

    /// What is known, after a loss, of the step that was under way; one that was seen to happen is as
    /// it was seen.
    pub(crate) fn interrupted(&mut self, found: &str) {
        let Some(step) = self.steps.last_mut() else {
            return;
        };
        let why = match &step.outcome {
            StepOutcome::Failed { reason } | StepOutcome::Unverified { reason } => reason.clone(),
            StepOutcome::Verified { .. } | StepOutcome::NotReached => return,
        };
        step.outcome = StepOutcome::Unverified {
            reason: format!("the connection was lost meanwhile ({why}); {found}"),
        };
        let id = step.id.clone();
        let _ = self.tell(&Line::Interrupted { step: &id, found });
    }

    /// The variant does not run to its end.
    pub(crate) fn stop(&mut self, stop: &Stop) {
        let why = match stop {
            Stop::Cancelled(reason) => reason.to_string(),
            Stop::Failed(why) => why.clone(),
            Stop::NotStored(error) => format!("the evidence cannot be stored: {}", causes(error)),
        };
        // When this cannot be stored either, the run record still says it.
        let _ = self.tell(&Line::Stopped { why: &why });
        self.stopped = Some(why);
    }

    fn tell(&mut self, line: &Line<'_>) -> Result<(), StoreError> {
        let mut json = serde_json::to_vec(line).expect("a line of plain data has a JSON form");
        json.push(b'\n');
        self.transcript.append(&json)
    }

    /// Searches the capture, and brings everything into the shape that is judged.
    pub(crate) async fn analyse(
        mut self,
        persona: &Persona,
        detector: &Arc<Detector>,
        folder: &Folder,
    ) -> Observed {
        let mut analysis = None;
        let told = self.told(persona);
        if self.captured {
            match self.search(detector, folder, &told).await {
                Ok(mut outcome) => {
                    self.time_steps(&outcome);
                    outcome.keep_window(&self.marks());
                    self.gaps.extend(outcome.gaps);
                    analysis = Some(outcome.analysis);
                }
                Err(why) => self
                    .gaps
                    .push(packets::gap("the capture could not be read back", &why)),
            }
            self.keep(told, analysis.as_mut(), folder);
        }
        if let Some(analysis) = &mut analysis {
            let written = serde_json::to_vec_pretty(analysis)
                .map_err(|error| error.to_string())
                .and_then(|json| {
                    folder
                        .write(ANALYSIS, &json)
                        .map_err(|error| causes(&error))
                });
            if let Err(why) = written {
                self.gaps
                    .push(packets::gap("the analysis could not be stored", &why));
            }
        }
        self.gaps.extend(self.sockets.gaps());
        self.gaps.sort();
        self.gaps.dedup();
        Observed {
            analysis,
            gaps: self.gaps,
            too_short: detector.too_short().to_vec(),
            toggles: self.toggles,
            steps: self.steps,
            permissions: self.permissions,
            stopped: self.stopped,
            untouched: Vec::new(),
        }
    }

    /// What the search is told beside the capture.
    fn told(&self, persona: &Persona) -> SearchRecord {
        SearchRecord {
            persona: persona.clone(),
            marks: self.marks.clone(),
            exclude: self.exclude.clone(),
            bytes_filtered: 0,
            owners: self.sockets.owners(),
            handset_addresses: self.sockets.addresses(),
            gaps: self
                .gaps
                .iter()
                .cloned()
                .chain(self.sockets.gaps())
                .collect(),
        }
    }

    /// Keeps what the search was told, and what the byte counters say of the capture, so that it can
    /// be made again.
    fn keep(&mut self, mut told: SearchRecord, analysis: Option<&mut Analysis>, folder: &Folder) {
        if let Some(analysis) = analysis {
            let known = self.gaps.len();
            told.bytes_filtered = self.count(analysis);
            told.gaps.extend(self.gaps.iter().skip(known).cloned());
        }
        if let Err(error) = folder.write(search_record::FILE, &told.to_json()) {
            let reason = "what was searched for could not be stored";
            self.gaps.push(packets::gap(reason, &causes(&error)));
        }
    }

    async fn search(
        &self,
        detector: &Arc<Detector>,
        folder: &Folder,
        told: &SearchRecord,
    ) -> Result<Outcome, String> {
        let options = told.options(packets::FILE.to_owned());
        let mut capture = folder.open(packets::FILE).map_err(|error| causes(&error))?;
        let detector = Arc::clone(detector);
        let searched = tokio::task::spawn_blocking(move || {
            let mut analyzer = Analyzer::new(&detector, options);
            let mut buffer = vec![0; CHUNK];
            loop {
                match capture.read(&mut buffer) {
                    Ok(0) => return Ok(analyzer.finish()),
                    Ok(len) => analyzer.handle_bytes(buffer.get(..len).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        });
        searched.await.map_err(|error| error.to_string())?
    }

    /// Gives each step of the window the time at which its mark was seen.
    fn time_steps(&mut self, outcome: &Outcome) {
        let Some(window) = self.window else { return };
        let steps = self.steps.iter_mut().skip(window);
        let times: Vec<Option<f64>> = self
            .marks
            .iter()
            .map(|mark| outcome.marks.get(mark).copied())
            .collect();
        for (place, step) in steps.enumerate() {
            step.started = times.get(place).copied().flatten();
            step.ended = times.get(place + 1).copied().flatten();
        }
    }

    /// Holds the capture against the byte counters: what was counted must have been captured. Returns
    /// how many bytes of our own the capture left out by itself.
    fn count(&mut self, analysis: &mut Analysis) -> u64 {
        let (Some(before), Some(after)) = (&self.before, &self.after) else {
            return 0;
        };
        let counted = match counted(before, after) {
            Ok(counted) => counted,
            Err(gap) => {
                self.gaps.push(gap);
                return 0;
            }
        };
        let is_ours = |uid: i64| !self.exclude.is_empty() && ADBD.contains(&uid);
        let sum = |ours: bool| -> u64 {
            let uids = counted
                .by_uid
                .iter()
                .filter(|(uid, _)| is_ours(**uid) == ours);
            uids.map(|(_, traffic)| traffic.rx_bytes.saturating_add(traffic.tx_bytes))
                .sum()
        };
        let filtered = if self.is_filtered { sum(true) } else { 0 };
        let excluded = &mut analysis.coverage.bytes_excluded;
        *excluded = excluded.saturating_add(filtered);
        let (counted, captured) = (sum(false), analysis.coverage.bytes);
        if captured < counted {
            self.gaps.push(Gap {
                observer: Observer::Packets,
                reason: "fewer bytes were captured than the handset counted".to_owned(),
                detail: Some(format!("{captured} of {counted} bytes")),
            });
        }
        filtered
    }

    fn marks(&self) -> Marks {
        Marks {
            names: self.marks.clone(),
        }
    }
}

/// The uids that adbd runs under: root, or the shell's. Over the network its bytes are counted there.
const ADBD: [i64; 2] = [0, 2000];

const fn state(on: bool) -> ToggleState {
    if on {
        ToggleState::On
    } else {
        ToggleState::Off
    }
}
