//! What services tell in `dumpsys`, as far as an audit reads it, in the shape of the version.

use super::cmd::is_location_on;
use crate::adapters::virtual_handset::android::settings::Namespace;
use crate::adapters::virtual_handset::android::telephony::CallState;
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::android::ui;
use crate::adapters::virtual_handset::firmware::model::Package;
use crate::adapters::virtual_handset::kernel::world::World;

/// TelephonyRegistry: one slot without a heading on 4.3, one block per slot later.
pub(super) fn registry(world: &World) -> String {
    let number = |state| match state {
        CallState::Idle => 0,
        CallState::OffHook => 2,
    };
    let state = number(world.android.telephony.state());
    let is_out = u8::from(world.network.is_airplane()) * 3;
    if world.android.is_old() {
        let sim = world.firmware.sims.first();
        let operator = sim.and_then(|sim| sim.operator.clone()).unwrap_or_default();
        let numeric = sim
            .and_then(|sim| sim.operator_numeric.clone())
            .unwrap_or_default();
        return format!(
            "last known state:\n  mCallState={state}\n  mCallIncomingNumber=\n  mServiceState={is_out} home {operator} {operator} {numeric}  HSPA CSS not supported -1 -1RoamInd: -1DefRoamInd: -1EmergOnly: false\n  mSignalStrength=SignalStrength: 20 0 -120 -160 -120 -1 -1 99 -1 -1 -1 2147483647 gsm|lte\n  mMessageWaiting=false\n  mCallForwarding=false\n  mDataActivity=0\n  mDataConnectionState=0\n  mDataConnectionPossible=false\n  mDataConnectionReason=dataDisabled\n  mDataConnectionApn=\n  mDataConnectionLinkProperties=null\n  mDataConnectionLinkCapabilities=null\n  mCellLocation=Bundle[{{lac=1, cid=1, psc=-1}}]\n  mCellInfo=null\nregistrations: count=0\n"
        );
    }
    let foreground = match (
        world.android.telephony.state(),
        world.android.telephony.is_answered(),
    ) {
        (CallState::Idle, _) => 0,
        (CallState::OffHook, true) => 1,
        (CallState::OffHook, false) => 3,
    };
    let mut text = String::from("last known state:\n");
    for (slot, sim) in world.firmware.sims.iter().enumerate() {
        let operator = sim.operator.clone().unwrap_or_default();
        // One call at a time, on the first slot.
        let (state, foreground) = if slot == 0 {
            (state, foreground)
        } else {
            (0, 0)
        };
        push(
            &mut text,
            format_args!(
                "  Phone Id={slot}\n    mCallState={state}\n    mRingingCallState=0\n    mForegroundCallState={foreground}\n    mBackgroundCallState=0\n    mCallIncomingNumber=\n    mServiceState={{mVoiceRegState={is_out}, mOperatorAlphaLong={operator}}}\n    mDataConnectionState=0\n"
            ),
        );
    }
    text.push_str("registrations: count=0\n");
    text
}

/// PhoneSubInfo; nothing from 10 on.
pub(super) fn subscriber(world: &World) -> String {
    if !world.android.is_old() {
        return String::new();
    }
    let sim = world.firmware.sims.first();
    let imei = sim.and_then(|sim| sim.imei.clone());
    format!(
        "Phone Subscriber Info:\n  Phone Type = GSM\n  Device ID = {}\n",
        imei.unwrap_or_else(|| "null".to_owned())
    )
}

/// WifiService.
pub(super) fn wifi(world: &World) -> String {
    let wifi = &world.firmware.wifi;
    let connected = world.network.is_connected();
    let is = if world.network.is_wifi_on() {
        "enabled"
    } else {
        "disabled"
    };
    let state = if connected {
        "CONNECTED/CONNECTED"
    } else {
        "DISCONNECTED/DISCONNECTED"
    };
    let (ssid, bssid, supplicant) = if connected {
        (wifi.ssid.as_str(), wifi.bssid.as_str(), "COMPLETED")
    } else {
        ("<unknown ssid>", "<none>", "DISCONNECTED")
    };
    let mac = &wifi.mac;
    if world.android.is_old() {
        return format!(
            "Wi-Fi is {is}\nStay-awake conditions: 0\n\nInternal state:\ncurrent HSM state: {}\nmWifiInfo SSID: {ssid}, BSSID: {bssid}, MAC: {mac}, Supplicant state: {supplicant}, RSSI: -50, Link speed: 65, Net ID: 0, Metered hint: false\nmNetworkInfo NetworkInfo: type: WIFI[], state: {state}, reason: (unspecified), extra: (none), roaming: false, failover: false, isAvailable: true\n",
            if connected {
                "ConnectedState"
            } else {
                "InitialState"
            }
        );
    }
    format!(
        "Wi-Fi is {is}\nVerbose logging is off\nmInIdle false\n\nmWifiInfo SSID: \"{ssid}\", BSSID: {bssid}, MAC: {mac}, IP: /{}, Security type: 2, Supplicant state: {supplicant}, Wi-Fi standard: 11n, RSSI: -50, Link speed: 72Mbps, Frequency: 2437MHz, Net ID: 0, Metered hint: false\nmNetworkInfo NetworkInfo: type: WIFI[], state: {state}, reason: (unspecified), extra: (none), failover: false, available: true, roaming: false\n",
        wifi.address
    )
}

/// ConnectivityService.
pub(super) fn connectivity(world: &World) -> String {
    let connected = world.network.is_connected();
    if world.android.is_old() {
        let state = if connected {
            "CONNECTED/CONNECTED"
        } else {
            "DISCONNECTED/DISCONNECTED"
        };
        return format!(
            "NetworkStateTracker for WIFI:\n  NetworkInfo: type: WIFI[], state: {state}, reason: (unspecified), extra: (none), roaming: false, failover: false, isAvailable: true\n"
        );
    }
    if connected {
        let ssid = &world.firmware.wifi.ssid;
        return format!(
            "Active default network: 100\n\nCurrent Networks:\n  NetworkAgentInfo{{network{{100}}  ni{{WIFI CONNECTED extra: }}  nc{{[ Transports: WIFI Capabilities: NOT_METERED&INTERNET&NOT_RESTRICTED&TRUSTED&NOT_VPN&VALIDATED&NOT_ROAMING SSID: \"{ssid}\"]}}}}\n"
        );
    }
    "Active default network: none\n\nCurrent Networks:\n".to_owned()
}

/// LocationManagerService.
pub(super) fn location(world: &World) -> String {
    let on = is_location_on(world);
    if world.android.is_old() {
        let providers = world
            .android
            .settings
            .get(Namespace::Secure, "location_providers_allowed")
            .unwrap_or_default()
            .replace(',', "\n    ");
        return format!(
            "Current Location Manager state:\n  Location Listeners:\n  Records by Provider:\n  Last Known Locations:\n  Enabled Providers:\n    {providers}\n"
        );
    }
    format!("Location Manager State:\n  User Info:\n    [u0]\n  Location Setting: {on}\n")
}

/// PowerManagerService, the screen alone.
pub(super) fn power(world: &World) -> String {
    let awake = if world.android.display.is_off {
        "Asleep"
    } else {
        "Awake"
    };
    let screen = if world.android.display.is_off {
        "OFF"
    } else {
        "ON"
    };
    format!(
        "POWER MANAGER (dumpsys power)\n\nPower Manager State:\n  mWakefulness={awake}\n\nDisplay Power: state={screen}\n"
    )
}

/// WindowManagerService: what has the focus.
pub(super) fn window(world: &World) -> String {
    let (width, height) = ui::size(world.firmware.sdk);
    let focus = world.android.display.front().map_or_else(
        || "null".to_owned(),
        |front| {
            let component = &front.component;
            format!(
                "Window{{41a9d0b8 u0 {}/{}}}",
                component.package, component.class
            )
        },
    );
    format!(
        "WINDOW MANAGER DISPLAY CONTENTS (dumpsys window displays)\n  Display: mDisplayId=0\n    init={width}x{height}\n\n  mCurrentFocus={focus}\n  mFocusedApp={focus}\n"
    )
}

/// ActivityManagerService: what is open.
pub(super) fn activity(world: &World) -> String {
    let mut text = String::from("ACTIVITY MANAGER ACTIVITIES (dumpsys activity activities)\n");
    let record = |number: usize, component: &str| {
        format!("ActivityRecord{{41b{number:05x} u0 {component} t{number}}}")
    };
    let open: Vec<String> = world
        .android
        .display
        .open()
        .enumerate()
        .map(|(number, open)| record(number + 1, &open.component.short()))
        .collect();
    for (number, record) in open.iter().enumerate() {
        push(&mut text, format_args!("    * Hist #{number}: {record}\n"));
    }
    if let Some(front) = open.first() {
        let name = if world.android.is_old() {
            "mFocusedActivity: "
        } else {
            "topResumedActivity="
        };
        push(
            &mut text,
            format_args!("  mResumedActivity: {front}\n  {name}{front}\n"),
        );
    }
    text
}

/// PackageManagerService: one package, or all, or the shared users.
pub(super) fn package(world: &World, of: Option<&str>) -> String {
    let packages = world.android.packages.iter();
    match of {
        Some("shared-users") => {
            let mut shared: Vec<(&str, u32)> = packages
                .filter_map(|package| Some((package.shared_user.as_deref()?, package.uid)))
                .collect();
            shared.sort_unstable();
            shared.dedup();
            let lines = shared.iter().map(|(name, uid)| {
                format!("  SharedUser [{name}] (41c{uid:05x}):\n    userId={uid} gids=[]\n")
            });
            format!("Shared users:\n{}", lines.collect::<String>())
        }
        Some("packages") | None => {
            format!(
                "Packages:\n{}",
                packages
                    .map(|package| one(world, package))
                    .collect::<String>()
            )
        }
        Some(name) => match world.android.packages.get(name) {
            Some(package) => format!("Packages:\n{}", one(world, package)),
            None => format!("Unable to find package: {name}\n"),
        },
    }
}

fn one(world: &World, package: &Package) -> String {
    let (name, uid, path, version) = (&package.name, package.uid, &package.path, &package.version);
    let old = world.android.is_old();
    let id = if old { "userId" } else { "appId" };
    let flags = if package.system {
        "SYSTEM HAS_CODE ALLOW_CLEAR_USER_DATA"
    } else {
        "HAS_CODE ALLOW_CLEAR_USER_DATA"
    };
    let mut text = format!("  Package [{name}] (41d{uid:05x}):\n    {id}={uid}\n");
    if let Some(shared) = &package.shared_user {
        push(
            &mut text,
            format_args!("    sharedUser=SharedUserSetting{{41c{uid:05x} {shared}/{uid}}}\n"),
        );
    }
    push(
        &mut text,
        format_args!(
            "    pkg=Package{{41e{uid:05x} {name}}}\n    codePath={path}\n    versionName={version}\n    dataDir=/data/data/{name}\n    pkgFlags=[ {flags} ]\n"
        ),
    );
    let heading = if old {
        "grantedPermissions"
    } else {
        "install permissions"
    };
    push(&mut text, format_args!("    {heading}:\n"));
    for permission in &package.permissions {
        let granted = if old { "" } else { ": granted=true" };
        push(&mut text, format_args!("      {permission}{granted}\n"));
    }
    text
}
