//! The device side of ADB over USB: a Linux gadget's FunctionFS, as Android's adbd uses it. It sets
//! no gadget up, names no serial number and serves no service: who mounts the folder decides about
//! the former, who gets the links about the latter.

mod descriptors;
mod endpoints;
mod event;
pub mod gadget;
mod plug;
