//! Android's commands. Each answers at once, as a pure function of the world, but those that
//! wait or carry bytes.

mod activity;
mod answer;
mod appops;
mod bugreport;
mod cmd;
mod content;
mod dumpsys;
mod dumpsys_text;
mod input;
mod install;
mod intent;
mod logcat;
mod logcat_options;
mod maintenance;
mod package;
pub(crate) mod programs;
mod properties;
mod radio;
mod screencap;
mod service;
mod service_call;
mod settings;
mod uiautomator;
