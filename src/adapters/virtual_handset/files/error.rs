//! Why a file operation failed: errno values and bionic's texts for them.

use thiserror::Error;

/// One errno of Linux, with the words `strerror` has for it in bionic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FileError {
    /// `EPERM`.
    #[error("Operation not permitted")]
    NotPermitted,
    /// `ENOENT`.
    #[error("No such file or directory")]
    NotFound,
    /// `ESRCH`.
    #[error("No such process")]
    NoProcess,
    /// `EIO`.
    #[error("I/O error")]
    Io,
    /// `ENXIO`.
    #[error("No such device or address")]
    NoDevice,
    /// `EBADF`.
    #[error("Bad file descriptor")]
    BadDescriptor,
    /// `EAGAIN`: too many processes.
    #[error("Try again")]
    TryAgain,
    /// `EACCES`.
    #[error("Permission denied")]
    Denied,
    /// `EBUSY`.
    #[error("Device or resource busy")]
    Busy,
    /// `EEXIST`.
    #[error("File exists")]
    Exists,
    /// `EXDEV`.
    #[error("Cross-device link")]
    CrossDevice,
    /// `ENOTDIR`.
    #[error("Not a directory")]
    NotDirectory,
    /// `EISDIR`.
    #[error("Is a directory")]
    IsDirectory,
    /// `EINVAL`.
    #[error("Invalid argument")]
    Invalid,
    /// `ENOSPC`.
    #[error("No space left on device")]
    NoSpace,
    /// `EROFS`.
    #[error("Read-only file system")]
    ReadOnly,
    /// `ENAMETOOLONG`.
    #[error("File name too long")]
    NameTooLong,
    /// `ENOTEMPTY`.
    #[error("Directory not empty")]
    NotEmpty,
    /// `ELOOP`.
    #[error("Too many symbolic links encountered")]
    Loop,
    /// `EADDRINUSE`.
    #[error("Address already in use")]
    AddressInUse,
    /// `ECONNREFUSED`.
    #[error("Connection refused")]
    Refused,
}

impl FileError {
    /// The errno's number, as Linux has it on ARM and x86.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::NotPermitted => 1,
            Self::NotFound => 2,
            Self::NoProcess => 3,
            Self::Io => 5,
            Self::NoDevice => 6,
            Self::BadDescriptor => 9,
            Self::TryAgain => 11,
            Self::Denied => 13,
            Self::Busy => 16,
            Self::Exists => 17,
            Self::CrossDevice => 18,
            Self::NotDirectory => 20,
            Self::IsDirectory => 21,
            Self::Invalid => 22,
            Self::NoSpace => 28,
            Self::ReadOnly => 30,
            Self::NameTooLong => 36,
            Self::NotEmpty => 39,
            Self::Loop => 40,
            Self::AddressInUse => 98,
            Self::Refused => 111,
        }
    }
}
