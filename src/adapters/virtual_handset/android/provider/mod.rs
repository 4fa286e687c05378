//! The content providers: contacts, messages, the call log, settings as rows.
//! They decide who may read and write what, and say what changed; nothing here reacts to it.

pub(crate) mod call_log;
pub(crate) mod contacts;
pub(crate) mod expression;
pub(crate) mod messages;
pub(crate) mod order;
pub(crate) mod providers;
pub(crate) mod table;
pub(crate) mod token;
pub(crate) mod uri;
pub(crate) mod value;
