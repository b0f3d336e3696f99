//! The resume secret as text: 32 lower-case hex characters.

/// The text of `bytes`.
pub(crate) fn write(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text of 32 hex characters of either case.
pub(crate) fn parse(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u128::from_str_radix(text, 16).ok()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let bytes = std::array::from_fn(|index| index as u8);
        assert_eq!(write(&bytes), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(parse(&write(&bytes)), Some(bytes));
        for text in ["", "00", "+0010203040506070809000102030405", &"g".repeat(32), &"0".repeat(33)]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
