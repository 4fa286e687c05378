//! The owner's acts on a handset, one file each: done, verified by an independent read, undone.
//!
//! An act journals its undo before it changes anything. That it was done is never taken from the
//! command that did it: another read shows it, or the evidence says that it was not verified.

pub mod call;
pub mod contact;
pub mod error;
pub mod evidence;
pub mod file;
pub mod idle;
pub mod location;
pub mod message_app;
pub mod provider;
pub mod radio;
pub mod screen;
pub mod setting;
pub mod sms;
pub mod toggle;
