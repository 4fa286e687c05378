//! What is known of every handset, kept up to date: one task owns it, sources and probers send it
//! messages. It decides nothing about what is shown.

use crate::adapters::adb_server::AdbServer;
use crate::cli::devices::join::{Joined, Known, join};
use crate::cli::devices::probe::Prober;
use crate::cli::devices::sighting::{Answer, Sighting};
use crate::cli::devices::source::{Listing, Place, follow_server, follow_usb};
use crate::cli::handsets::HandsetLister;
use crate::ports::clock::Clock;
use crate::ports::lister::Selector;
use crate::report::handsets::{HandsetList, PlaceEntry, SCHEMA};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

/// Messages that wait to be read.
const QUEUE: usize = 64;

/// Where it is looked, and with what.
pub(super) struct Look {
    pub(super) lister: Arc<HandsetLister>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) server: AdbServer,
    /// Whether USB is looked at.
    pub(super) looks_at_usb: bool,
    /// Handsets that the operator named by their addresses.
    pub(super) named: Vec<Selector>,
    /// The selectors of handsets that ask their owners, as they begin to.
    pub(super) owner_wanted: broadcast::Sender<String>,
}

/// Every way to a handset that is known, and the places where they are listed.
pub(super) struct Board {
    look: Look,
    /// `None` while a place has not answered.
    places: BTreeMap<Place, Option<Listing>>,
    ways: BTreeMap<Selector, Way>,
    listings: mpsc::Receiver<Listing>,
    /// The places' tasks, which end with the board.
    _sources: JoinSet<()>,
    news: mpsc::Receiver<News>,
    teller: mpsc::Sender<News>,
    /// Counts probers, so that one that has been replaced is not listened to.
    probers: u64,
}

/// A way to a handset.
struct Way {
    sighting: Sighting,
    answer: Option<Answer>,
    prober: u64,
    /// The prober's tasks, which end with the way.
    _tasks: JoinSet<()>,
}

/// What a prober tells.
struct News {
    selector: Selector,
    prober: u64,
    answer: Answer,
}

impl Board {
    /// Begins to look.
    pub(super) fn new(look: Look) -> Self {
        let (listing, listings) = mpsc::channel(QUEUE);
        let (teller, news) = mpsc::channel(QUEUE);
        let mut sources = JoinSet::new();
        sources.spawn(follow_server(look.server.clone(), listing.clone()));
        let usb = follow_usb(Arc::clone(&look.clock), look.looks_at_usb, listing);
        sources.spawn(usb);
        let mut board = Self {
            look,
            places: BTreeMap::from([(Place::Server, None), (Place::Usb, None)]),
            ways: BTreeMap::new(),
            listings,
            _sources: sources,
            news,
            teller,
            probers: 0,
        };
        for selector in board.look.named.clone() {
            board.see(Sighting::named(selector));
        }
        board
    }

    /// Waits for the next message, and takes what it says.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            Some(listing) = self.listings.recv() => self.take_listing(listing),
            Some(news) = self.news.recv() => {
                let way = self.ways.get_mut(&news.selector);
                if let Some(way) = way.filter(|way| way.prober == news.prober) {
                    way.answer = Some(news.answer);
                }
            }
        }
    }

    /// Whether every place and every handset has answered.
    pub(super) fn is_settled(&self) -> bool {
        let is_known = |way: &Way| way.answer.is_some() || way.sighting.trouble.is_some();
        self.places.values().all(Option::is_some) && self.ways.values().all(is_known)
    }

    /// Every handset that is known now, with the selector to use.
    pub(super) fn handsets(&self) -> Vec<Joined> {
        let ways = self.ways.values();
        let known: Vec<Known<'_>> = ways
            .map(|way| (&way.sighting, way.answer.as_ref()))
            .collect();
        join(&known, self.look.server.address.is_local())
    }

    /// What is known now, as it is shown.
    pub(super) fn list(&self) -> HandsetList {
        let handsets = self.handsets().into_iter();
        HandsetList {
            schema: SCHEMA,
            handsets: handsets.map(|(_, handset)| handset).collect(),
            looked_at: self.places.iter().map(|place| self.entry(place)).collect(),
        }
    }

    fn entry(&self, (place, listing): (&Place, &Option<Listing>)) -> PlaceEntry {
        let (kind, name) = match place {
            Place::Server => (
                "server",
                format!("the adb server at {}", self.look.server.address),
            ),
            Place::Usb => ("usb", "USB".to_owned()),
        };
        let found = listing.as_ref().map(|listing| &listing.found);
        let (detail, remedy) = match found {
            Some(Ok(found)) => (found.detail.clone(), None),
            Some(Err(absence)) => (Some(absence.reason.clone()), absence.remedy.clone()),
            None => (Some("no answer yet".to_owned()), None),
        };
        PlaceEntry {
            kind,
            name,
            found: matches!(found, Some(Ok(_))),
            handsets: found
                .and_then(|found| found.as_ref().ok())
                .map_or(0, |found| found.sightings.len()),
            detail,
            remedy,
        }
    }

    /// Handsets that the place lists no more are forgotten, new ones are asked; one that is listed
    /// as before is left alone.
    fn take_listing(&mut self, listing: Listing) {
        let sightings = listing.found.as_ref().map(|found| found.sightings.clone());
        let sightings = sightings.unwrap_or_default();
        let place = listing.place;
        let is_gone = |selector: &Selector| {
            place_of(selector) == Some(place)
                && !sightings
                    .iter()
                    .any(|sighting| sighting.selector == *selector)
        };
        self.ways.retain(|selector, _| !is_gone(selector));
        self.places.insert(place, Some(listing));
        for sighting in sightings {
            let known = self.ways.get(&sighting.selector);
            if known.is_none_or(|way| way.sighting != sighting) {
                self.see(sighting);
            }
        }
    }

    /// Keeps a way to a handset, and begins to ask it unless that is known to be vain.
    fn see(&mut self, sighting: Sighting) {
        self.probers += 1;
        let (selector, prober) = (sighting.selector.clone(), self.probers);
        let mut tasks = JoinSet::new();
        if sighting.trouble.is_none() {
            let (answers, mut told) = mpsc::channel(1);
            let asking = Prober {
                lister: Arc::clone(&self.look.lister),
                clock: Arc::clone(&self.look.clock),
                selector: selector.clone(),
                owner_wanted: self.look.owner_wanted.clone(),
                answers,
                owner_was_asked: AtomicBool::new(false),
            };
            tasks.spawn(asking.run());
            let (teller, selector) = (self.teller.clone(), selector.clone());
            tasks.spawn(async move {
                while let Some(answer) = told.recv().await {
                    let selector = selector.clone();
                    // A board that is gone needs no news.
                    let _ = teller
                        .send(News {
                            selector,
                            prober,
                            answer,
                        })
                        .await;
                }
            });
        }
        let way = Way {
            sighting,
            answer: None,
            prober,
            _tasks: tasks,
        };
        self.ways.insert(selector, way);
    }
}

/// The place that lists such handsets; `None` for those that the operator names by address.
const fn place_of(selector: &Selector) -> Option<Place> {
    match selector {
        Selector::Server(_) | Selector::ServerTransport(_) => Some(Place::Server),
        Selector::Usb(_) => Some(Place::Usb),
        Selector::Tcp(_) | Selector::Bare(_) | Selector::Virtual(_) => None,
    }
}
