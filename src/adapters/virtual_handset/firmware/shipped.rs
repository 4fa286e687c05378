//! The firmware that comes with the program.

/// A file of `scenarios/firmware`.
macro_rules! firmware {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../../../scenarios/firmware/", $name, ".yaml")),
        )
    };
}

const SHIPPED: &[(&str, &str)] = &[
    firmware!("android-5"),
    firmware!("android-6"),
    firmware!("android-7"),
    firmware!("android-8"),
    firmware!("android-9"),
    firmware!("android-10"),
    firmware!("android-11"),
    firmware!("android-12"),
    firmware!("android-13"),
    firmware!("android-14"),
    firmware!("android-15"),
    firmware!("redmi-1s-2014-07"),
    firmware!("redmi-1s-2014-08"),
];

/// Names and texts of the firmware files that are embedded, by name.
#[must_use]
pub const fn shipped() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}
