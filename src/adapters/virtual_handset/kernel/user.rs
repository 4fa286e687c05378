//! Users and groups: Android's fixed ids and their names (AOSP `android_filesystem_config.h`).
//! Which apps exist, and their uids, is Android's state, not known here.

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// User id.
    pub(crate) uid: u32,
    /// Primary group.
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// The superuser's id.
pub(crate) const ROOT: u32 = 0;
/// The id of Android's own services.
pub(crate) const SYSTEM: u32 = 1000;
/// The id of `adb shell`.
pub(crate) const SHELL: u32 = 2000;
/// The first app's id.
pub(crate) const FIRST_APP: u32 = 10000;

impl User {
    /// `root`.
    pub(crate) const fn root() -> Self {
        Self {
            uid: ROOT,
            gid: ROOT,
            groups: Vec::new(),
        }
    }

    /// `shell`, with the groups adbd gives it.
    pub(crate) fn shell() -> Self {
        Self {
            uid: SHELL,
            gid: SHELL,
            groups: vec![1003, 1004, 1007, 1011, 1015, 1028, 3001, 3002, 3003, 3006],
        }
    }

    /// Any other user, its own group alone.
    pub(crate) const fn of(uid: u32) -> Self {
        Self {
            uid,
            gid: uid,
            groups: Vec::new(),
        }
    }

    /// Whether it is the superuser.
    pub(crate) const fn is_root(&self) -> bool {
        self.uid == ROOT
    }

    /// Whether it belongs to a group.
    pub(crate) fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// Android's fixed names.
const NAMES: &[(u32, &str)] = &[
    (0, "root"),
    (1000, "system"),
    (1001, "radio"),
    (1002, "bluetooth"),
    (1003, "graphics"),
    (1004, "input"),
    (1005, "audio"),
    (1006, "camera"),
    (1007, "log"),
    (1008, "compass"),
    (1009, "mount"),
    (1010, "wifi"),
    (1011, "adb"),
    (1012, "install"),
    (1013, "media"),
    (1014, "dhcp"),
    (1015, "sdcard_rw"),
    (1016, "vpn"),
    (1017, "keystore"),
    (1018, "usb"),
    (1019, "drm"),
    (1021, "gps"),
    (1023, "media_rw"),
    (1027, "nfc"),
    (1028, "sdcard_r"),
    (1051, "logd"),
    (1078, "ext_data_rw"),
    (1079, "ext_obb_rw"),
    (2000, "shell"),
    (2001, "cache"),
    (2002, "diag"),
    (3001, "net_bt_admin"),
    (3002, "net_bt"),
    (3003, "inet"),
    (3004, "net_raw"),
    (3005, "net_admin"),
    (3006, "net_bw_stats"),
    (3007, "net_bw_acct"),
    (3009, "readproc"),
    (3011, "uhid"),
    (9997, "everybody"),
    (9998, "misc"),
    (9999, "nobody"),
];

/// The name of a user or group; an id without one is its number.
pub(crate) fn name_of(id: u32) -> String {
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == id) {
        return (*name).to_owned();
    }
    match id % 100_000 {
        app @ FIRST_APP..20_000 => format!("u{}_a{}", id / 100_000, app - FIRST_APP),
        _ => id.to_string(),
    }
}

/// The id of a user or group by name or number.
pub(crate) fn id_of(name: &str) -> Option<u32> {
    if let Some((id, _)) = NAMES.iter().find(|(_, known)| *known == name) {
        return Some(*id);
    }
    if let Some((user, app)) = name.strip_prefix('u').and_then(|n| n.split_once("_a")) {
        let (user, app) = (user.parse::<u32>().ok()?, app.parse::<u32>().ok()?);
        return user
            .checked_mul(100_000)?
            .checked_add(FIRST_APP)?
            .checked_add(app);
    }
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_agree() {
        for (id, name) in [
            (0, "root"),
            (2000, "shell"),
            (10012, "u0_a12"),
            (1_010_003, "u10_a3"),
            (777, "777"),
        ] {
            assert_eq!(name_of(id), name);
            assert_eq!(id_of(name), Some(id));
        }
        assert_eq!(id_of("nobody-here"), None);
        assert_eq!(id_of("u_a"), None);
    }
}
