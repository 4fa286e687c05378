//! The vocabulary of a firmware file. Plain data without behaviour; what it means for the simulation
//! is decided by `android`, `behaviour` and `network`.

use super::template::Template;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that makes one virtual handset what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Firmware {
    /// The name selectors use: `redmi-1s-2014-07`.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// `ro.build.version.release`.
    pub release: String,
    /// `ro.build.version.sdk`.
    pub sdk: u32,
    /// `ro.build.type`.
    pub build_type: BuildType,
    /// Whose commands `/system/bin` holds and how they answer.
    pub userland: Userland,
    /// Names present in `/system/bin`, beyond what the userland always has.
    pub programs: Vec<String>,
    /// How root is reached.
    pub root: Root,
    /// What adbd says of itself.
    pub adb: Adb,
    /// Civil time when the simulation starts, nanoseconds since the Unix epoch; `None` is the host's.
    pub boot_unix_nanoseconds: Option<i64>,
    /// The time zone, as an IANA name.
    pub time_zone: String,
    /// What `getprop` prints; the values above are in it too.
    pub properties: BTreeMap<String, String>,
    /// Initial rows of `settings`.
    pub settings: Settings,
    /// SIM slots, in order.
    pub sims: Vec<Sim>,
    /// The Wi-Fi radio and the network it joins.
    pub wifi: Wifi,
    /// Installed packages.
    pub packages: Vec<Package>,
    /// Preference files present when the simulation starts.
    pub preferences: Vec<PreferenceFile>,
    /// Privacy settings that apps keep in their preferences.
    pub switches: Vec<Switch>,
    /// Screens that can be opened.
    pub activities: Vec<Activity>,
    /// What DNS answers.
    pub hosts: BTreeMap<String, Vec<Ipv4Addr>>,
    /// What apps do when something happens.
    pub reactions: Vec<Reaction>,
    /// What goes wrong, for tests.
    pub faults: Faults,
}

/// `ro.build.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildType {
    /// What customers get.
    User,
    /// A user build on which `adb root` works.
    Userdebug,
    /// An engineering build.
    Eng,
}

impl BuildType {
    /// All, with the names that files and properties use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("user", Self::User),
        ("userdebug", Self::Userdebug),
        ("eng", Self::Eng),
    ];

    /// The name that `ro.build.type` carries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Userdebug => "userdebug",
            Self::Eng => "eng",
        }
    }
}

/// Which generation of command-line tools the handset has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Userland {
    /// toolbox and mksh of Android 4.3.
    Toolbox43,
    /// toybox and mksh of Android 14.
    Toybox14,
}

impl Userland {
    /// All, with the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("toolbox-4.3", Self::Toolbox43),
        ("toybox-14", Self::Toybox14),
    ];
}

/// How root is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// A `su` program, as a lab installs it.
    Su,
    /// `adb root`.
    Adb,
    /// Not at all.
    None,
}

impl Root {
    /// All, with the names that files use.
    pub const ALL: &'static [(&'static str, Self)] =
        &[("su", Self::Su), ("adb", Self::Adb), ("none", Self::None)];
}

/// What adbd says of itself and asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adb {
    /// `A_VERSION`.
    pub version: u32,
    /// The largest payload, in bytes.
    pub max_payload: u32,
    /// Features of the banner, in order.
    pub features: Vec<String>,
    /// Whether a key is asked for, and what the person at the screen answers.
    pub auth: Auth,
}

/// The question "Allow USB debugging?" and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nobody asks.
    Off,
    /// Asked; a known or new key is accepted, and remembered.
    Accept,
    /// The same, a while after the question came.
    AcceptAfter(Duration),
    /// Asked; nobody answers, so the computer stays unauthorized.
    Silent,
}

impl Auth {
    /// All, with the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("accept", Self::Accept),
        ("silent", Self::Silent),
    ];
}

/// Initial settings by namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `settings … system`
    pub system: BTreeMap<String, String>,
    /// `settings … secure`
    pub secure: BTreeMap<String, String>,
    /// `settings … global`
    pub global: BTreeMap<String, String>,
}

/// One SIM slot. `None` is what neither an app nor adb can read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sim {
    /// 15 digits.
    pub imei: Option<String>,
    /// 14 or 15 digits.
    pub imsi: Option<String>,
    /// 19 or 20 digits.
    pub iccid: Option<String>,
    /// The subscriber's number, E.164.
    pub number: Option<String>,
    /// The operator's name.
    pub operator: Option<String>,
    /// Its country and network code: `00101`.
    pub operator_numeric: Option<String>,
}

/// The Wi-Fi radio and the network it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    /// Whether it is on when the simulation starts.
    pub on: bool,
    /// The network's name.
    pub ssid: String,
    /// The access point's address.
    pub bssid: String,
    /// The handset's own address.
    pub mac: String,
    /// The handset's IPv4 address.
    pub address: Ipv4Addr,
    /// The router, which is the name server too.
    pub gateway: Ipv4Addr,
}

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// `com.android.mms`
    pub name: String,
    /// Its user id, 1000 or more.
    pub uid: u32,
    /// `android.uid.phone`, if it shares one.
    pub shared_user: Option<String>,
    /// Where its APK lies.
    pub path: String,
    /// Part of the system image.
    pub system: bool,
    /// `versionName`.
    pub version: String,
    /// Granted permissions.
    pub permissions: Vec<String>,
}

/// One `shared_prefs` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferenceFile {
    /// Whose.
    pub package: String,
    /// Its name without `.xml`.
    pub file: String,
    /// Its values.
    pub values: BTreeMap<String, PreferenceValue>,
}

/// One value of a preference file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreferenceValue {
    /// `<boolean>`
    Boolean(bool),
    /// `<long>`
    Integer(i64),
    /// `<string>`
    Text(String),
}

/// A setting that an app keeps in its preferences and reads when its process starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The name that reactions and rows use.
    pub name: String,
    /// The app.
    pub package: String,
    /// The preference file, without `.xml`.
    pub file: String,
    /// The boolean in it.
    pub key: String,
    /// What the app takes when the file or the key is missing or unreadable.
    pub absent: bool,
}

/// A screen that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// `package/class`; a class that starts with a dot is completed with the package.
    pub component: Component,
    /// Intents that resolve to it.
    pub opens: Vec<IntentFilter>,
    /// What it shows.
    pub shows: Screen,
}

/// `package/class`, the class in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// The package.
    pub package: String,
    /// The class, in full.
    pub class: String,
}

impl Component {
    /// Reads `package/class` or `package/.class`, as `ComponentName.unflattenFromString` does.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (package, class) = text.split_once('/')?;
        if class.is_empty() {
            return None;
        }
        let class = match class.strip_prefix('.') {
            Some(short) => format!("{package}.{short}"),
            None => class.to_owned(),
        };
        Some(Self {
            package: package.to_owned(),
            class,
        })
    }

    /// `package/.class` where the class lies in the package, as `flattenToShortString` writes it.
    #[must_use]
    pub fn short(&self) -> String {
        match self.class.strip_prefix(&self.package) {
            Some(rest) if rest.starts_with('.') => format!("{}/{rest}", self.package),
            _ => format!("{}/{}", self.package, self.class),
        }
    }
}

/// Which intents open an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentFilter {
    /// The action.
    pub action: String,
    /// The scheme of the data, if data is needed.
    pub scheme: Option<String>,
}

/// What an activity shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The launcher.
    Home,
    /// A message being written.
    Compose,
    /// A call.
    Call,
    /// A list of settings.
    List {
        /// Its title.
        title: String,
        /// Its rows.
        rows: Vec<Row>,
    },
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it says.
    pub text: String,
    /// The switch whose state its check box shows, if it has one.
    pub switch: Option<String>,
}

/// What an app does when something happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// The app whose process reacts and whose uid sends.
    pub app: String,
    /// On which occasions.
    pub on: Vec<Occasion>,
    /// And again and again, this far apart.
    pub every: Option<Duration>,
    /// Only while these switches stand so in the running app.
    pub when: Vec<(String, bool)>,
    /// How long after the occasion.
    pub after: Duration,
    /// What is sent; with several, one after the other.
    pub send: Vec<Message>,
}

/// An occasion to react.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// The handset has started.
    Boot,
    /// The app's process has started and read its preferences.
    AppStarted,
    /// Wi-Fi is connected.
    WifiJoined,
    /// A contact's number was stored.
    ContactAdded,
    /// A text message was sent.
    SmsSent,
    /// A text message was stored in the inbox.
    SmsReceived,
    /// A call ended.
    CallEnded,
    /// A switch of the app was turned on its own screen.
    SwitchChanged,
}

impl Occasion {
    /// All, with the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("boot", Self::Boot),
        ("app_started", Self::AppStarted),
        ("wifi_joined", Self::WifiJoined),
        ("contact_added", Self::ContactAdded),
        ("sms_sent", Self::SmsSent),
        ("sms_received", Self::SmsReceived),
        ("call_ended", Self::CallEnded),
        ("switch_changed", Self::SwitchChanged),
    ];
}

/// One HTTP exchange that an app has with a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The host, a key of [`Firmware::hosts`].
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whether TLS protects it.
    pub tls: bool,
    /// Method and target: `GET /path?x={imei}`.
    pub request: Template,
    /// Headers besides `Host` and `Content-Length`, in order.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Body>,
    /// The answer's status code.
    pub status: u16,
    /// The answer's body.
    pub answer: String,
    /// How long the connection stays open after the answer.
    pub keep_open: Duration,
}

/// A request's body.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Its text.
    pub text: Template,
    /// Whether the whole is sent as base64.
    pub base64: bool,
}

/// What goes wrong, for tests. Everything absent is a handset that works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Packets that tcpdump misses, in parts per million.
    pub capture_loss_ppm: u32,
    /// tcpdump sees nothing of its first so many seconds.
    pub capture_starts_after: Option<Duration>,
    /// tcpdump ends by itself after so long.
    pub capture_dies_after: Option<Duration>,
}

impl Firmware {
    /// The package of this name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// A property, or nothing.
    #[must_use]
    pub fn property(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }
}
