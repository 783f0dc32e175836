//! samlgate judges SAML sign-ins to Microsoft Entra ID as Entra would.

pub mod admin;
pub mod app;
pub mod check;
pub mod cli;
pub mod config;
pub mod dsig;
pub mod file_text;
pub mod inspect;
pub mod limits;
pub mod observe;
pub mod personal;
pub mod proxy;
pub mod saml;
pub mod tenant;
pub mod verdict;
pub mod xml;
