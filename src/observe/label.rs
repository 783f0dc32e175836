//! The closed sets of words that labels are made of.

/// A word list that labels are made of. What is not in it never becomes a label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl $name {
            /// Every word.
            pub const ALL: &[Self] = &[$(Self::$case),+];

            /// The word as metrics and logs spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word),+ }
            }
        }
    };
}

label!(
    /// Where a request came in.
    Listener {
        /// The listener that stands in for the intercepted hosts.
        Reverse = "reverse",
        /// The explicit proxy, and what is asked inside of it.
        Connect = "connect",
        /// Metrics and health.
        Admin = "admin",
    }
);

label!(
    /// What was done with a request.
    Route {
        /// Its body was read to be judged.
        Inspect = "inspect",
        /// It was forwarded unread.
        Pass = "pass",
        /// It was answered here, without the upstream being asked.
        Refuse = "refuse",
        /// A CONNECT that leads to us: the requests inside are counted for themselves.
        Intercept = "intercept",
        /// A CONNECT that leads to somebody else.
        Tunnel = "tunnel",
        /// It was for this program itself.
        Admin = "admin",
    }
);

label!(
    /// Why the body of an intercepted post was not judged.
    Unjudged {
        /// Over the limit of one body.
        TooLarge = "too_large",
        /// All buffered bodies together are over the budget.
        Budget = "budget",
    }
);

label!(
    /// Why the upstream did not answer.
    UpstreamFailure {
        /// No connection.
        Connect = "connect",
        /// A connection, but no TLS over it.
        Tls = "tls",
        /// No answer in time.
        Timeout = "timeout",
        /// The upstream is this proxy itself.
        Loop = "loop",
        /// The connection broke, or what came was no HTTP.
        Broken = "broken",
    }
);

label!(
    /// Which way bytes go through a tunnel.
    Direction {
        /// From the client.
        Up = "up",
        /// To the client.
        Down = "down",
    }
);

label!(
    /// Why a tunnel was not opened.
    TunnelFailure {
        /// The name is not known.
        Resolve = "resolve",
        /// The name leads to this machine, or next to it.
        Forbidden = "forbidden",
        /// This program listens there itself.
        Loop = "loop",
        /// No connection.
        Connect = "connect",
        /// No connection in time.
        Timeout = "timeout",
        /// Too many are open.
        Full = "full",
    }
);

label!(
    /// Where something that Entra expects is known from.
    Source {
        /// The export of the federation's settings.
        Settings = "settings",
        /// Metadata of the identity provider.
        Metadata = "metadata",
        /// Files of certificates.
        File = "file",
        /// The export of the tenant's users.
        Users = "users",
    }
);

label!(
    /// Which of the certificates that Entra holds.
    Role {
        /// `signingCertificate`.
        Current = "current",
        /// `nextSigningCertificate`.
        Next = "next",
    }
);

label!(
    /// What came of a reload.
    Reload {
        /// The new configuration is in force.
        Ok = "ok",
        /// The old one is.
        Failed = "failed",
    }
);
