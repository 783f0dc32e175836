//! Open files: as many as the bounds ask for where the system lets us, else smaller bounds.

use crate::proxy::Bounds;

/// For listeners, the log, and connections that wait for the next request.
const OTHERS: u64 = 192;

/// The same without tunnels, where no listener opens any.
pub(super) fn without_tunnels(bounds: Bounds) -> Bounds {
    Bounds { tunnels: 0, ..bounds }
}

/// Raises this process's own limit of open files as far as `bounds` need it, or lowers them to what it is: a connection that
/// cannot be accepted, or not be forwarded, would keep everybody out.
pub(super) fn within(bounds: Bounds) -> Bounds {
    let wanted = to_u64(bounds.connections) + to_u64(bounds.forwarded) + to_u64(bounds.tunnels) + OTHERS;
    let Some(files) = allowed(wanted).filter(|files| *files < wanted) else { return bounds };
    let bounds = share(bounds, files);
    tracing::warn!(
        files,
        wanted,
        connections = bounds.connections,
        "few files may be open: fewer connections are taken; raise `ulimit -n` or LimitNOFILE"
    );
    bounds
}

/// Not more than half of the files for the far side, and half of that for tunnels, where there are any.
fn share(bounds: Bounds, files: u64) -> Bounds {
    let files = usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    let far = (if bounds.tunnels > 0 { files / 4 } else { files / 2 }).max(16);
    let (forwarded, tunnels) = (bounds.forwarded.min(far), bounds.tunnels.min(far));
    let left = files.saturating_sub(forwarded + tunnels).max(16);
    Bounds { connections: bounds.connections.min(left), forwarded, tunnels, ..bounds }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX / 4)
}

/// How many files may be open after asking for so many; none where there is no such limit.
#[cfg(unix)]
fn allowed(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.filter(|current| *current < wanted)?;
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum });
    Some(set.map_or(current, |()| raised))
}

#[cfg(not(unix))]
fn allowed(_: u64) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::share;
    use crate::proxy::Bounds;

    #[test]
    fn the_far_side_has_at_most_half_of_the_files() {
        let usual = super::without_tunnels(Bounds::default());
        let few = share(usual, 1024);
        assert_eq!((few.connections, few.forwarded, few.tunnels), (576, 256, 0));
        let fewer = share(usual, 512);
        assert_eq!((fewer.connections, fewer.forwarded), (160, 160));
        let both = share(Bounds::default(), 1024);
        assert_eq!((both.connections, both.forwarded, both.tunnels), (416, 208, 208));
        let none = share(usual, 3);
        assert_eq!((none.connections, none.forwarded), (16, 16));
        assert_eq!(share(usual, 1 << 30).connections, usual.connections);
    }
}
