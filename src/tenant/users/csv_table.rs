//! Users as a table: `Export-Csv`, the portal's download, a spreadsheet's idea of them.

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::super::builder::NewUser;
use super::{Property, Sink, UsersError, truth, user_type};

pub(super) fn read(text: &str, sink: &mut Sink) -> Result<(), UsersError> {
    let (table, skipped) = without_preamble(text);
    let mut reader = ReaderBuilder::new().delimiter(delimiter(table)).from_reader(table.as_bytes());
    let at = |error: csv::Error| csv_error(&error, skipped);
    let headers = reader.headers().map_err(at)?.clone();
    let columns = Columns::of(&headers)?;
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(at)? {
        let line = row.position().map_or(0, csv::Position::line) + skipped;
        sink.push(columns.user(&row, line)?)?;
    }
    Ok(())
}

/// The table behind `#TYPE …` (PowerShell 5.1) and `sep=;` (Excel), and how many lines those are.
fn without_preamble(text: &str) -> (&str, u64) {
    let (mut rest, mut skipped) = (text, 0);
    while let Some((line, after)) = rest.split_once('\n')
        && (line.starts_with("#TYPE") || line.starts_with("sep=") || line.trim().is_empty())
    {
        (rest, skipped) = (after, skipped + 1);
    }
    (rest, skipped)
}

/// What stands between columns: whatever the header has most of.
fn delimiter(table: &str) -> u8 {
    let header = table.lines().next().unwrap_or_default();
    let count = |byte: &u8| header.bytes().filter(|b| b == byte).count();
    // the last of equals wins: a comma when there is nothing to count
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Where each property stands in a row.
struct Columns {
    upn: usize,
    immutable_id: usize,
    mail: Option<usize>,
    account_enabled: Option<usize>,
    block_credential: Option<usize>,
    user_type: Option<usize>,
    proxy_addresses: Option<usize>,
}

impl Columns {
    fn of(headers: &StringRecord) -> Result<Self, UsersError> {
        let place = |wanted| headers.iter().position(|column| Property::of_column(column) == Some(wanted));
        let needed = |wanted: Property| {
            place(wanted).ok_or_else(|| UsersError::NoProperty {
                property: wanted.as_str(),
                got: format!("the columns {}", shorten(&headers.iter().collect::<Vec<_>>().join(", "))),
            })
        };
        Ok(Self {
            upn: needed(Property::Upn)?,
            immutable_id: needed(Property::ImmutableId)?,
            mail: place(Property::Mail),
            account_enabled: place(Property::AccountEnabled),
            block_credential: place(Property::BlockCredential),
            user_type: place(Property::UserType),
            proxy_addresses: place(Property::ProxyAddresses),
        })
    }

    fn user<'a>(&self, row: &'a StringRecord, line: u64) -> Result<NewUser<'a>, UsersError> {
        let cell = |column: Option<usize>| column.and_then(|column| row.get(column)).unwrap_or_default();
        let flag = |column, property: Property| {
            truth(cell(column)).map_err(|()| UsersError::Csv {
                line,
                expected: format!("True, False or nothing in column {}", property.as_str()),
                got: "something else".to_owned(),
            })
        };
        let blocked = flag(self.block_credential, Property::BlockCredential)?;
        Ok(NewUser {
            upn: cell(Some(self.upn)),
            mail: Some(cell(self.mail)),
            immutable_id: Some(cell(Some(self.immutable_id))),
            account_enabled: flag(self.account_enabled, Property::AccountEnabled)?.or(blocked.map(|blocked| !blocked)),
            user_type: user_type(cell(self.user_type)),
            proxy_addresses: cell(self.proxy_addresses),
        })
    }
}

/// A header may be a whole paragraph, where the file is no table.
fn shorten(text: &str) -> String {
    const MOST: usize = 200;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn csv_error(error: &csv::Error, skipped: u64) -> UsersError {
    let line = error.position().map_or(0, csv::Position::line) + skipped;
    let (expected, got) = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            (format!("{expected_len} columns as in the header"), format!("{len}"))
        }
        _ => ("a row of CSV".to_owned(), "something else".to_owned()),
    };
    UsersError::Csv { line, expected, got }
}
