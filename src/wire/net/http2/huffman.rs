//! HPACK's Huffman code (RFC 7541, 5.2 and appendix B). The code is canonical: lengths give it whole.

use std::sync::LazyLock;

/// Bits of each byte's code, and of the end's.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const SHORTEST: u32 = 5;
const LONGEST: u32 = 30;

/// The codes of one length: the first, and the bytes that have them in order.
#[derive(Debug, Default)]
struct Codes {
    len: u32,
    first: u64,
    /// A byte, or 256 for the end.
    symbols: Vec<u16>,
}

static CODES: LazyLock<Vec<Codes>> = LazyLock::new(|| {
    let mut code = 0;
    (SHORTEST..=LONGEST)
        .map(|len| {
            code <<= 1;
            let symbols: Vec<u16> = (0u16..)
                .zip(LENGTHS)
                .filter(|(_, bits)| u32::from(*bits) == len)
                .map(|(symbol, _)| symbol)
                .collect();
            let first = code;
            code += symbols.len() as u64;
            Codes {
                len,
                first,
                symbols,
            }
        })
        .collect()
});

/// What a coded string says; `None` if it is none.
#[must_use]
pub(super) fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(coded.len() * 8 / 5);
    let mut bytes = coded.iter();
    let (mut bits, mut held) = (0u64, 0u32);
    loop {
        while held <= 32
            && let Some(byte) = bytes.next()
        {
            bits = bits << 8 | u64::from(*byte);
            held += 8;
        }
        let found = CODES.iter().take_while(|it| it.len <= held).find_map(|it| {
            let code = bits >> (held - it.len);
            let at = usize::try_from(code.checked_sub(it.first)?).ok()?;
            Some((it.len, *it.symbols.get(at)?))
        });
        let Some((len, symbol)) = found else {
            // The rest is padding: fewer than eight bits, all ones.
            return (held < 8 && bits == (1 << held) - 1).then_some(out);
        };
        out.push(u8::try_from(symbol).ok()?);
        held -= len;
        bits &= (1 << held) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    /// RFC 7541, C.4 and C.6.
    #[test]
    fn decodes_what_the_specification_encodes() {
        let cases = [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                "9d29ad171863c78f0b97c8e9ae82ae43d3",
                "https://www.example.com",
            ),
        ];
        for (coded, expected) in cases {
            let coded = HEXLOWER.decode(coded.as_bytes()).unwrap();
            assert_eq!(decode(&coded).unwrap(), expected.as_bytes());
        }
        // Padding of more than seven bits, and of zeros (5.2).
        assert_eq!(decode(&[0xff]), None);
        assert_eq!(decode(&[0x18]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
