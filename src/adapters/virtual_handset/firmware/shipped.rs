//! The firmware that comes with the program.

const SHIPPED: &[(&str, &str)] = &[
    (
        "android-14",
        include_str!("../../../../scenarios/firmware/android-14.yaml"),
    ),
    (
        "redmi-1s-2014-07",
        include_str!("../../../../scenarios/firmware/redmi-1s-2014-07.yaml"),
    ),
    (
        "redmi-1s-2014-08",
        include_str!("../../../../scenarios/firmware/redmi-1s-2014-08.yaml"),
    ),
];

/// Names and texts of the firmware files that are embedded, by name.
#[must_use]
pub const fn shipped() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}
