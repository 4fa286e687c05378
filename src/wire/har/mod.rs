//! HTTP archives, HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>), as browsers and proxies
//! write them.

pub mod entry;
pub mod lenient;
pub mod split;
