//! What is known of each alert of `deploy/prometheus`: what it says, and what to do.

/// What is known of one alert.
#[derive(Debug)]
pub(crate) struct Alert {
    /// Its name in the rules.
    pub(crate) name: &'static str,
    /// In a line.
    pub(crate) title: &'static str,
    /// When it fires.
    pub(crate) fires: &'static str,
    /// What it means for people who sign in.
    pub(crate) means: &'static str,
    /// What to do, step by step.
    pub(crate) steps: &'static [&'static str],
}

const fn alert(
    name: &'static str,
    title: &'static str,
    fires: &'static str,
    means: &'static str,
    steps: &'static [&'static str],
) -> Alert {
    Alert { name, title, fires, means, steps }
}

/// Every alert, the gravest first within its subject.
pub(crate) const ALERTS: [Alert; 31] = [
    alert(
        "SamlgateDown",
        "Prometheus cannot reach the proxy",
        "For two minutes the scrape fails, or there is nothing to scrape.",
        "Whoever is sent to this proxy cannot sign in, unless a balancer has others.",
        &[
            "Is it running: systemctl status samlgate, or the container's state? Its last lines of log say why it ended.",
            "The process is down, so its /runbooks are away, too: samlgate explain SamlgateDown shows this anywhere.",
            "Is it only the scrape? curl http://127.0.0.1:9464/healthz on the machine itself; then look at listen.admin, the network, and the target of the scrape.",
            "If it cannot be had soon, take the name out of the test DNS or the hosts file: sign-ins then go to Microsoft directly.",
        ],
    ),
    alert(
        "SamlgateNotReady",
        "the proxy runs and is not ready",
        "`samlgate_ready` is 0 for a minute.",
        "A balancer sends nothing here. It is starting, stopping, or could not bind or configure itself.",
        &[
            "curl http://127.0.0.1:9464/readyz says the reason.",
            "A start that waits for a metadata URL or for Graph: look whether that server answers.",
            "A stop that takes long: requests are being finished; it ends by itself.",
        ],
    ),
    alert(
        "SamlgatePanicked",
        "samlgate has a fault of its own",
        "`samlgate_panics_total` grew within 15 minutes.",
        "The message that did it was not judged; everything else goes on.",
        &[
            "Find the line `judging panicked` in the log, and keep it with its request id.",
            "Find the message in the capture, if there is one, and judge it with `samlgate verify`.",
            "Report it: a panic is always a fault of this program.",
        ],
    ),
    alert(
        "SamlgateFilesRunningOut",
        "open files come near the limit",
        "For five minutes more than four fifths of the open files that are allowed are in use.",
        "At the limit no connection is taken any more.",
        &[
            "Raise the limit: LimitNOFILE of the unit, ulimits of the container.",
            "Is it a load test? Spread it over more instances.",
            "Else look who keeps connections open: ss -tnp | grep samlgate.",
        ],
    ),
    alert(
        "SamlgateBodiesUnjudged",
        "sign-ins are not judged for want of room",
        "A body was over its limit or over the budget within 15 minutes.",
        "In observe they went on without a verdict; in enforce they were answered 413 or 503.",
        &[
            "Reason budget: too many large bodies at once. Slow the load down, or add an instance.",
            "Reason too_large: a body over limits.body_bytes. A sign-in is some kilobytes; look who posts that.",
        ],
    ),
    alert(
        "SamlgateLogDropping",
        "lines of the log are lost",
        "`samlgate_log_dropped_total` grew within 15 minutes.",
        "Verdicts are counted all the same; the log has gaps.",
        &[
            "Whoever reads standard error is too slow: journald's RateLimitBurst, a full disk, a stalled log shipper.",
            "Turn the level down while it lasts: curl -X PUT -d warn http://127.0.0.1:9464/api/log-level",
        ],
    ),
    alert(
        "SamlgateUpstreamFailing",
        "Entra, or what stands in for it, does not answer",
        "Three requests or more got no answer within five minutes.",
        "Nobody signs in through this proxy while it lasts; they see an error of the proxy.",
        &[
            "connect: is upstream.address still right, is the firewall open? curl --connect-to shows it.",
            "tls: what answers there has another certificate; is a proxy in between? upstream.ca may name its root.",
            "timeout: the network or the other side is slow; look at upstream_duration_seconds.",
            "loop: the name of the upstream resolves to this proxy. Set upstream.address or upstream.dns.",
            "broken: the connection ended amid the answer, or what came was no HTTP.",
        ],
    ),
    alert(
        "SamlgateTunnelFailing",
        "tunnels of the explicit proxy are not opened",
        "Three tunnels or more to places of intercept.tunnel were not opened within 15 minutes, for one reason.",
        "Who uses the explicit proxy does not reach the identity provider, and so cannot sign in.",
        &[
            "The log names the place and the reason: look for `no tunnel was opened`.",
            "resolve: the name is not known to this machine's resolver. Write `host:port=address:port` into intercept.tunnel.",
            "forbidden: the name leads to this machine, or next to it. Write `host:port=address:port`, if that is meant.",
            "loop: the place is a listener of samlgate itself; take it out of intercept.tunnel.",
            "connect, timeout: nobody answers there. Does the identity provider run, is the firewall open from here?",
        ],
    ),
    alert(
        "SamlgateTunnelsFull",
        "the explicit proxy has no room for more tunnels",
        "More than four fifths of the 2,048 tunnels of an instance are open for five minutes (warning), or one was refused for want of room \
         within 15 minutes (critical).",
        "At the limit a browser is answered 503 where it asks for the identity provider. Intercepted hosts are still reached.",
        &[
            "Is it a load test? Let it go to the reverse listener, or spread it over more instances.",
            "Else look who keeps tunnels open: ss -tn 'sport = :3128'. One in which nothing moves ends after five minutes.",
            "Where the limit of open files is low there is room for fewer: the log says at the start how many.",
        ],
    ),
    alert(
        "SamlgateConnectRefused",
        "the explicit proxy refuses most of what it is asked for",
        "Ten requests or more were refused within 15 minutes, more than twice as many as were led on.",
        "Somebody asks for places that the explicit proxy does not lead to, or does not know its password. For those who sign in nothing is lost.",
        &[
            "A browser that was told of the proxy by host and port asks it for everything: tell it of /proxy.pac of the admin listener instead.",
            "Is the identity provider among what is asked for? Add it to intercept.tunnel. At the log level debug a line names each target.",
            "407 alone: the name or the password is wrong; each browser also asks once before it names itself.",
            "Is it nobody of yours? Then somebody looks for an open proxy: let fewer reach the listener.",
        ],
    ),
    alert(
        "SamlgateReloadFailed",
        "the configuration was changed and is not in force",
        "The last reload failed. It ends when one succeeds, or the process is started anew.",
        "The last good configuration judges on. Whatever was to change (a certificate, say) has not.",
        &[
            "samlgate config check FILE tells every problem with its line.",
            "Mend it. The file is read again by itself within seconds.",
        ],
    ),
    alert(
        "SamlgateSourceNotRefreshed",
        "what Entra expects cannot be loaded anew",
        "A source of a federation failed three times in a row or more. It ends with the first success.",
        "The last good state is judged by. It may not be what Entra holds now.",
        &[
            "curl http://127.0.0.1:9464/readyz says which source, and why.",
            "A metadata URL: does the identity provider answer, is its certificate trusted (metadata_ca)?",
            "Graph: has the secret ended, are the permissions granted? samlgate doctor --config FILE names what is lacking.",
        ],
    ),
    alert(
        "SamlgateDirectoryStale",
        "the users that are judged by are old",
        "The file of users was written more than seven days ago, or Graph told of users that long ago.",
        "Who was added since is reported as unknown (AADSTS51004), who was removed as known.",
        &[
            "Export the users anew, as the README shows, and put the file in place: it is read by itself.",
            "The time is that of the file where the proxy reads it: a copy, or a Secret that is mounted anew, is as young as the copy. The export may be older.",
            "Or let samlgate ask Microsoft Graph: see the page on Graph of the manual.",
        ],
    ),
    alert(
        "SamlgateDirectoryEmpty",
        "no users are known",
        "`samlgate_directory_users` is 0 for ten minutes.",
        "Every sign-in is predicted to fail with AADSTS51004.",
        &[
            "Look into the export: does it have the column OnPremisesImmutableId, and rows?",
            "With Graph the first reading of a large tenant takes minutes: the log says how far it is.",
        ],
    ),
    alert(
        "SamlgateCertificateExpired",
        "a signing certificate has ended",
        "A certificate that is judged by, or that is published, is past its end. Critical where it is the current one.",
        "Entra is not known to refuse it for its age alone. Identity providers roll it over, and the new one must be registered.",
        &[
            "samlgate doctor --config FILE shows which certificate it is, and what the identity provider signs with.",
            "Make a new one at the identity provider, register it as the next one in Entra, and rehearse: samlgate rollover rehearse --config FILE CAPTURE.",
            "An ended next certificate was left behind by a change that came to its end: remove it.",
        ],
    ),
    alert(
        "SamlgateCertificateExpiring",
        "a signing certificate ends soon",
        "It ends within 30 days (info), 14 days (warning), 3 days (critical).",
        "If the identity provider changes its key and Entra does not know the new one, nobody signs in (AADSTS5000811).",
        &[
            "Make the new certificate at the identity provider, and do not sign with it yet.",
            "Register it: Update-MgDomainFederationConfiguration with -NextSigningCertificate.",
            "Rehearse: samlgate rollover rehearse --config FILE CAPTURE; change the key at the identity provider when it says that all is well.",
        ],
    ),
    alert(
        "SamlgateNextCertificateSigns",
        "the identity provider signs with the next certificate",
        "For an hour the last sign-in was verified by the next signing certificate, and none by the current one since an hour before that.",
        "Nobody is kept out: Entra takes either. The change of the key is through, and the place of the next certificate is not free for another.",
        &[
            "Look at the page of the admin listener: it shows when each certificate last verified a sign-in.",
            "Make it the current one in Entra: Update-MgDomainFederationConfiguration with -SigningCertificate, and nothing as the next.",
            "Export the settings anew, or change `certificates`: a certificate that becomes the current one keeps its time, and this ends.",
        ],
    ),
    alert(
        "SamlgateSigningKeyUnknown",
        "the identity provider signs with a key that Entra does not know",
        "One such response within 15 minutes.",
        "Nobody of this domain signs in: AADSTS5000811.",
        &[
            "The finding of signing_key, in the log and in /api/verdicts, names the thumbprint of the certificate that the response shows.",
            "Was it meant to change? Register it in Entra as the current or next signing certificate.",
            "Was it not? Choose the registered key again at the identity provider.",
            "samlgate explain signing_key tells more.",
        ],
    ),
    alert(
        "SamlgateSignatureInvalid",
        "signatures are missing, broken, or of an algorithm that Entra refuses",
        "One such response within 15 minutes.",
        "These sign-ins fail with AADSTS50008 or AADSTS50006. Somebody may also be forging them.",
        &[
            "Does it strike everybody? Then the identity provider does not sign the Assertion, or not with RSA and SHA-256.",
            "Does it strike a few? Something changes the XML on the way, or somebody tries to.",
            "samlgate explain signature and samlgate explain algorithm tell more.",
        ],
    ),
    alert(
        "SamlgateIssuerUnknown",
        "responses come from an issuer that no domain has",
        "One such response within 15 minutes.",
        "They fail with AADSTS50107.",
        &[
            "Compare the issuer of the verdict with IssuerUri of the domain, letter by letter: the slash at the end counts.",
            "Is it a federation that samlgate was not told of? Add a `[[federation]]`.",
            "samlgate explain issuer tells more.",
        ],
    ),
    alert(
        "SamlgateUserUnknown",
        "people sign in whom the tenant does not know",
        "Three such responses or more within 15 minutes.",
        "They fail with AADSTS51004.",
        &[
            "The hint of the verdict says whether the value is wrong in form (mail address, byte order of a GUID) or just unknown.",
            "Wrong in form: mend the NameID mapping of the identity provider. Unknown: was the user synchronised, is the export recent?",
            "samlgate explain immutable_id tells more.",
        ],
    ),
    alert(
        "SamlgateCheckFailing",
        "one check fails again and again",
        "Three failures or more of one check within 15 minutes, where the check has no alert of its own.",
        "These sign-ins fail, with the code that the check predicts.",
        &[
            "samlgate explain CHECK tells what is looked at and how to mend it; so does the page of checks.",
            "curl http://127.0.0.1:9464/api/verdicts shows the last ones with their hints.",
        ],
    ),
    alert(
        "SamlgateSignInsRejected",
        "sign-ins of a domain are rejected",
        "Three or more within 15 minutes, whatever the check.",
        "People cannot sign in, or, in observe, will be told so by Entra.",
        &[
            "The dashboard shows which checks fail; an alert for the check itself is likely there, too.",
            "Is it a strict policy of yours? `[policy]` rejects more than Entra does.",
        ],
    ),
    alert(
        "SamlgatePredictionMissed",
        "Entra answered otherwise than predicted",
        "One answer within 15 minutes that is neither the predicted code nor unreadable.",
        "Either samlgate was told something else than Entra holds, or it is wrong about Entra.",
        &[
            "samlgate doctor --config FILE: is the export of settings and users still what Entra holds?",
            "Predicted none, answered other: a code that comes after the response was taken (Conditional Access, MFA): samlgate explain CODE.",
            "Else keep the response (capture.raw) and report it: samlgate is wrong.",
        ],
    ),
    alert(
        "SamlgateAssertionReplayed",
        "an assertion came twice",
        "One within 15 minutes.",
        "Mostly a reloaded page or the back button. It may be somebody who has stolen a response.",
        &[
            "The log and /api/verdicts have time and request_id of the sign-in that came again: its check replay fails or warns. They know no client.",
            "What stands in front may know it: with $remote_addr in the log_format of deploy/fronting/nginx.conf, beside the request id. A post of the same client within seconds before makes it a reload.",
            "Whose it is, samlgate decode tells of the response, where capture.raw keeps it: ask the user, and look at the addresses in Entra's sign-in log.",
            "Another client than before: end the user's sessions, and find out where the response leaked.",
        ],
    ),
    alert(
        "SamlgateReplayFull",
        "used assertions are not remembered for want of room",
        "`samlgate_replay_full_total` grew within 15 minutes.",
        "Those assertions would not be recognised when they come again.",
        &[
            "Is it a load test? It ends by itself as assertions end.",
            "Else shorten the life of assertions at the identity provider: they are remembered until they end.",
        ],
    ),
    alert(
        "SamlgateReplayStoreFailing",
        "the store of used assertions does not answer",
        "`samlgate_replay_store_errors_total` grew within five minutes: assertions that the store was not asked for.",
        "With fail_open replays go unnoticed; with fail_closed sign-ins are refused.",
        &[
            "The log says why: look for `an assertion was not asked for`.",
            "No answer within replay.timeout, connection refused: is the store up, reachable, slower than that? It is asked anew each second.",
            "READONLY: the address still leads to a replica. After a failover it must lead to the new master.",
            "WRONGPASS, NOAUTH, NOPERM: the user, the password or the rights are not what the page on operation says.",
            "OOM: the store is full. An invalid peer certificate: name its root in replay.ca.",
        ],
    ),
    alert(
        "SamlgateIdpClockOff",
        "the clock of an identity provider is off",
        "By more than one minute for five minutes (warning), by more than four (critical).",
        "Beyond some five minutes Entra refuses its assertions (AADSTS500089).",
        &[
            "chronyc tracking, timedatectl, w32tm /query /status at the identity provider, and here: it may be this machine.",
            "Only a replayed old response can look the same; the alert on replays would say so.",
        ],
    ),
    alert(
        "SamlgateCaptureDropping",
        "the capture loses lines",
        "`samlgate_capture_dropped_total` grew within 15 minutes.",
        "Verdicts are missing from the file; sign-ins are not touched, but for capture.durable.",
        &[
            "df: is the disk full, is it read-only? The log says why, once a minute.",
            "Is it a load test? A faster disk, or no capture while it lasts.",
        ],
    ),
    alert(
        "SamlgateCaptureRaw",
        "whole sign-ins are being written to disk",
        "`samlgate_capture_raw` is 1 for eight hours.",
        "The file holds sign-ins of real people.",
        &["Set capture.raw = false and restart when what was looked for is found; remove the files."],
    ),
    alert(
        "SamlgateLoadBurning",
        "a load run spends its budget of rejected sign-ins",
        "At one sign-in a second or more: 14.4 % rejected over both five minutes and one hour (critical), or 6 % over both 30 minutes \
         and six hours (warning). The budget is one in a hundred.",
        "What is under test does not hold, or the test is not sound.",
        &[
            "Is it planted? Then silence this alert for the run.",
            "The dashboard shows by check what is rejected, and whether the upstream or the machine is what is slow.",
        ],
    ),
];
