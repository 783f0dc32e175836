//! Why an export of users cannot be read, and how to make one that can.

use super::super::builder::DirectoryError;
use crate::file_text::FileTextError;

/// The export that has all that is needed.
const EXPORT_CSV: &str = "Get-MgUser -All -Property UserPrincipalName,Mail,ProxyAddresses,OnPremisesImmutableId,AccountEnabled,UserType \
     | Select-Object UserPrincipalName,Mail,@{n='ProxyAddresses';e={$_.ProxyAddresses -join ';'}},OnPremisesImmutableId,AccountEnabled,UserType \
     | Export-Csv users.csv -NoTypeInformation -Encoding utf8";
const GRAPH_SELECT: &str = "GET /v1.0/users?$select=userPrincipalName,mail,proxyAddresses,onPremisesImmutableId,accountEnabled,userType&$top=999";

/// Why an export of users cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// Not text.
    #[error(transparent)]
    Text(#[from] FileTextError),
    /// Nothing in it.
    #[error("expected an export of users, got an empty file")]
    Empty,
    /// Another format altogether.
    #[error("expected users as CSV or JSON, got {0}")]
    Form(&'static str),
    /// A format without any user.
    #[error("expected at least one user, got none")]
    NoUsers,
    /// Graph refused the query, and its answer was saved.
    #[error("expected users, got an error that Microsoft Graph answered: {code}")]
    Graph {
        /// `error.code`.
        code: String,
    },
    /// A table that breaks the rules of CSV.
    #[error("line {line}: expected {expected}, got {got}")]
    Csv {
        /// Line, from 1.
        line: u64,
        /// What would have been right.
        expected: String,
        /// What came; no value of a user.
        got: String,
    },
    /// JSON that cannot be read, or is no export of users.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in bytes.
        column: usize,
        /// What was expected and what came; no value of a user.
        problem: String,
    },
    /// A property that no user has, not even empty.
    #[error("expected a column or property {property}, got {got}")]
    NoProperty {
        /// The property.
        property: &'static str,
        /// The columns, or what the objects are without.
        got: String,
    },
    /// Too much.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl UsersError {
    /// How to mend it.
    pub fn hint(&self) -> String {
        match self {
            Self::Text(error) => error.hint().to_owned(),
            Self::Graph { .. } => format!("ask again with the permission User.Read.All: {GRAPH_SELECT}"),
            Self::NoProperty { property, .. } => format!(
                "{property} is only exported when it is asked for by name. PowerShell: {EXPORT_CSV}. Graph: {GRAPH_SELECT}"
            ),
            Self::NoUsers => {
                "export the whole tenant; a filter with endsWith needs -ConsistencyLevel eventual -CountVariable, else it gives nobody".to_owned()
            }
            Self::Csv { .. } => format!("export it anew, and do not edit it in a spreadsheet: {EXPORT_CSV}"),
            Self::Directory(_) => "that is no property of a user: look at the file in an editor".to_owned(),
            Self::Empty | Self::Form(_) | Self::Json { .. } => {
                format!("make the file by PowerShell: {EXPORT_CSV}. Or save what Graph answers: {GRAPH_SELECT}")
            }
        }
    }
}
