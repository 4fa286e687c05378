//! The host side of a connection: connects over a link, proves itself, opens services. It starts no
//! adb server, lists nothing and retries nothing.

use crate::adapters::adb::peer;
use crate::adapters::adb::services::{self, Services};
use crate::adapters::adb::shared::{Shared, Traffic};
use crate::adapters::adb::stream::{AdbStream, Lifeline};
use crate::base::text::printable;
use crate::ports::BoxFuture;
use crate::ports::clock::{Clock, within};
use crate::ports::link::{Endpoints, Link, Securer};
use crate::ports::signer::Signer;
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::wire::adb::banner::{Banner, emit_host};
use crate::wire::adb::connection::{Config, Side};
use crate::wire::adb::event::Event;
use crate::wire::adb::limits::Limits;
use crate::wire::adb::packet::{MAX_PAYLOAD, VERSION_SKIP_CHECKSUM};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The state in which a handset serves everything; any other is reported as unusable.
const USABLE_STATE: &str = "device";

/// Features that this host makes use of.
const FEATURES: [&str; 10] = [
    "shell_v2",
    "cmd",
    "stat_v2",
    "ls_v2",
    "sendrecv_v2",
    "sendrecv_v2_brotli",
    "sendrecv_v2_lz4",
    "sendrecv_v2_zstd",
    "sendrecv_v2_dry_run_send",
    "delayed_ack",
];

/// How to connect.
#[derive(Clone)]
pub struct HostConfig {
    /// The handset as the operator named it, for errors.
    pub selector: String,
    /// Keys to prove ourselves with, the preferred one first.
    pub signers: Vec<Arc<dyn Signer>>,
    /// Takes the link into TLS where the handset demands it; without one such a handset is lost.
    pub tls: Option<Arc<dyn Securer>>,
    /// Limit on the wait for the handset's banner.
    pub banner_timeout: Duration,
    /// Limit on the wait for the owner's tap, once our public key was sent.
    pub owner_timeout: Duration,
    /// Limit on the wait for a service to open.
    pub open_timeout: Duration,
    /// Called once when the handset waits for its owner to allow this computer.
    pub on_owner_wanted: Option<Arc<dyn Fn() + Send + Sync>>,
    /// What the handset may open here (reversed ports); `None` refuses everything.
    pub services: Option<Arc<dyn Services>>,
}

impl HostConfig {
    /// The usual limits: 10 s for the banner and a service, 30 s for the owner.
    #[must_use]
    pub fn new(selector: impl Into<String>, signers: Vec<Arc<dyn Signer>>) -> Self {
        Self {
            selector: selector.into(),
            signers,
            tls: None,
            banner_timeout: Duration::from_secs(10),
            owner_timeout: Duration::from_secs(30),
            open_timeout: Duration::from_secs(10),
            on_owner_wanted: None,
            services: None,
        }
    }
}

/// How far a handshake has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    ExpectBanner,
    ExpectOwner,
    NoKeys,
    Connected(Banner),
    Ended(Ending),
}

/// Why there will be no banner. `TransportError` itself is not comparable.
#[derive(Clone, Debug)]
struct Ending(TransportError);

impl PartialEq for Ending {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Ending {}

/// A connection to one handset. The link is closed when this and all its streams are dropped.
pub struct AdbTransport {
    shared: Arc<Shared>,
    lifeline: Arc<Lifeline>,
    clock: Arc<dyn Clock>,
    banner: Banner,
    endpoints: Option<Endpoints>,
    open_timeout: Duration,
}

/// Connects over `link`, proves this host with its signers, and waits for the handset's banner.
///
/// # Errors
/// [`TransportError::Unauthorized`] when the owner did not allow this computer in time,
/// [`TransportError::Unpaired`] when a handset that speaks TLS does not know its key,
/// [`TransportError::Unusable`] for a handset in another state than `device`, and what ended the
/// link or the wait.
pub async fn connect(
    link: Link,
    config: HostConfig,
    clock: Arc<dyn Clock>,
) -> Result<AdbTransport, TransportError> {
    let shared = Shared::new(Config {
        side: Side::Host {
            keys: config.signers.len(),
            serves: config.services.is_some(),
        },
        version: VERSION_SKIP_CHECKSUM,
        max_payload: MAX_PAYLOAD,
        banner: emit_host(&FEATURES),
        limits: Limits::default(),
    });
    let endpoints = link.endpoints;
    let (stage, stages) = watch::channel(Stage::ExpectBanner);
    let lifeline = spawn_driver(Arc::clone(&shared), link, config.clone(), stage);
    let banner = await_banner(stages, &config, &*clock).await?;
    if banner.state != USABLE_STATE {
        return Err(TransportError::Unusable {
            selector: config.selector,
            state: printable(&banner.state, 40).into_owned(),
        });
    }
    Ok(AdbTransport {
        shared,
        lifeline,
        clock,
        banner,
        endpoints,
        open_timeout: config.open_timeout,
    })
}

impl AdbTransport {
    /// Bytes that crossed the link so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic()
    }

    /// Why the connection is over, if it is.
    #[must_use]
    pub fn lost(&self) -> Option<TransportError> {
        self.shared.with(|state| state.lost().cloned())
    }

    /// Opens a service as [`Transport::open`] does, unboxed.
    pub async fn open_stream(&self, service: &str) -> Result<AdbStream, TransportError> {
        let lifeline = Some(Arc::clone(&self.lifeline));
        let stream = peer::request(&self.shared, service, lifeline)?;
        let limit = self.open_timeout;
        let opening = peer::accepted(stream, service);
        within(&*self.clock, limit, "a service to open", opening).await?
    }
}

impl Transport for AdbTransport {
    fn banner(&self) -> &Banner {
        &self.banner
    }

    fn open<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ByteStream, TransportError>> {
        Box::pin(async move {
            let stream = self.open_stream(service).await?;
            Ok(Box::new(stream) as ByteStream)
        })
    }

    fn handset_port(&self) -> Option<u16> {
        self.endpoints.map(|endpoints| endpoints.remote.port())
    }

    fn endpoints(&self) -> Option<Endpoints> {
        self.endpoints
    }
}

fn spawn_driver(
    shared: Arc<Shared>,
    link: Link,
    config: HostConfig,
    stage: watch::Sender<Stage>,
) -> Arc<Lifeline> {
    let task = tokio::spawn(async move {
        let on_event = |event| handle(&shared, &config, &stage, event);
        let error = shared.drive(link, config.tls.as_deref(), on_event).await;
        stage.send_replace(Stage::Ended(Ending(error)));
    });
    Arc::new(Lifeline(task.abort_handle()))
}

fn handle(shared: &Arc<Shared>, config: &HostConfig, stage: &watch::Sender<Stage>, event: Event) {
    match event {
        Event::SignatureWanted { key, token } => {
            let signature = config.signers.get(key).map(|signer| signer.sign(&token));
            let signature = signature.unwrap_or_default();
            shared.with(|state| state.connection.sign(signature));
        }
        Event::PublicKeyWanted => match config.signers.first() {
            Some(signer) => {
                let key = signer.public_key();
                shared.with(|state| state.connection.offer_public_key(&key));
                stage.send_replace(Stage::ExpectOwner);
                if let Some(on_owner_wanted) = &config.on_owner_wanted {
                    on_owner_wanted();
                }
            }
            None => drop(stage.send_replace(Stage::NoKeys)),
        },
        Event::Connected(agreement) => {
            stage.send_replace(Stage::Connected(agreement.banner));
        }
        Event::OpenRequested { stream, service } => {
            if let Some(services) = &config.services {
                services::answer(shared, &**services, stream, &service);
            }
        }
        _ => {}
    }
}

async fn await_banner(
    mut stages: watch::Receiver<Stage>,
    config: &HostConfig,
    clock: &dyn Clock,
) -> Result<Banner, TransportError> {
    let unauthorized = || TransportError::Unauthorized {
        selector: config.selector.clone(),
    };
    let proven = stages.wait_for(|stage| *stage != Stage::ExpectBanner);
    let stage = within(clock, config.banner_timeout, "the handset's banner", proven)
        .await?
        .map(|stage| stage.clone());
    let stage = match stage {
        Ok(Stage::ExpectOwner) => {
            let tapped = stages.wait_for(|stage| *stage != Stage::ExpectOwner);
            within(clock, config.owner_timeout, "the owner's tap", tapped)
                .await
                .map_err(|_| unauthorized())?
                .map(|stage| stage.clone())
        }
        stage => stage,
    };
    match stage {
        Ok(Stage::Connected(banner)) => Ok(banner),
        Ok(Stage::NoKeys) => Err(unauthorized()),
        Ok(Stage::Ended(Ending(error))) => Err(error),
        Ok(Stage::ExpectBanner | Stage::ExpectOwner) | Err(_) => Err(TransportError::Lost {
            reason: "the connection was dropped".to_owned(),
        }),
    }
}
