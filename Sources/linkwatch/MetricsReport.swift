/// What `metrics` prints: the state of each link, for alarms, and how linkwatchd itself is doing.
import Monitor

enum MetricsReport {
    static func text(
        _ interfaces: [InterfaceRecord], _ routes: [RouteRecord], _ statistics: StatisticsRecord,
        now: Instant, dialect: MetricsText.Dialect
    ) -> String {
        var metrics = MetricsText(dialect)
        freshness(isUp: true, nowRealtimeUsec: now.realtimeUsec, &metrics)
        let sorted = interfaces.sorted { $0.ifindex < $1.ifindex }
        states(sorted, &metrics)
        counters(sorted, &metrics)
        attributes(sorted, &metrics, now: now)
        self.routes(routes, &metrics)
        daemon(statistics, &metrics)
        netlink(statistics, &metrics)
        probes(statistics.probes ?? ["mii": statistics.mii, "driver": statistics.driver], &metrics)
        return metrics.text
    }

    /// What is written to the file when the daemon does not answer: an old file would go on saying that all links are
    /// up.
    static func unavailable(nowRealtimeUsec: Int64, dialect: MetricsText.Dialect) -> String {
        var metrics = MetricsText(dialect)
        freshness(isUp: false, nowRealtimeUsec: nowRealtimeUsec, &metrics)
        return metrics.text
    }

    private static func freshness(isUp: Bool, nowRealtimeUsec: Int64, _ metrics: inout MetricsText) {
        metrics.family("linkwatch_up", .gauge, help: "Whether linkwatchd answered.")
        metrics.sample("linkwatch_up", [], isUp)
        metrics.family(
            "linkwatch_read_timestamp_seconds", .gauge, unit: "seconds",
            help: "When this was asked for, in seconds since the epoch.")
        metrics.sample("linkwatch_read_timestamp_seconds", [], microseconds: nowRealtimeUsec)
    }

    // MARK: Interfaces

    private static func states(_ interfaces: [InterfaceRecord], _ metrics: inout MetricsText) {
        gauge("interface_up", "Settled state of the link: 1 up, 0 down.", interfaces, &metrics) { $0.state == "up" }
        gauge("interface_raw_up", "State of the link before hold times and dampening.", interfaces, &metrics) {
            $0.rawState == "up"
        }
        gauge("interface_admin_up", "Whether the administrator has switched it on.", interfaces, &metrics) {
            $0.evidence["admin"]?.state == "up"
        }
        metrics.family(
            "linkwatch_interface_evidence_up", .gauge,
            help: "What each supported source says of the link; a stale one keeps its last answer.")
        for interface in interfaces {
            for entry in interface.evidence.entries {
                guard let word = entry.record.state == "stale" ? entry.record.last : entry.record.state,
                    word == "up" || word == "down"
                else { continue }
                metrics.sample(
                    "linkwatch_interface_evidence_up", labels(interface) + [("source", entry.name)], word == "up")
            }
        }
        metrics.family("linkwatch_interface_condition", .gauge, help: "Conditions of the link that are present.")
        for interface in interfaces {
            for note in interface.conditions {
                metrics.sample("linkwatch_interface_condition", labels(interface) + [("condition", note)], true)
            }
        }
        gauge("interface_duplex_mismatch_suspected", "The link partner does not negotiate.", interfaces, &metrics) {
            $0.duplexMismatchSuspected
        }
    }

    private static func counters(_ interfaces: [InterfaceRecord], _ metrics: inout MetricsText) {
        let families: [(String, String, (InterfaceRecord) -> Int64)] = [
            ("transitions", "Changes of the raw state since linkwatchd saw it first.", { Int64($0.transitions) }),
            ("flaps", "Times the link went down, blinks between two polls included.", { Int64($0.flaps) }),
            ("carrier_changes", "The kernel's own count of carrier changes.", { Int64($0.carrierChanges) }),
        ]
        for (name, help, value) in families {
            metrics.family("linkwatch_interface_\(name)", .counter, help: help)
            for interface in interfaces {
                metrics.sample("linkwatch_interface_\(name)_total", labels(interface), value(interface))
            }
        }
    }

    private static func attributes(_ interfaces: [InterfaceRecord], _ metrics: inout MetricsText, now: Instant) {
        metrics.family("linkwatch_interface", .gauge, help: "Attributes of the interface as labels; always 1.")
        for interface in interfaces {
            metrics.sample(
                "linkwatch_interface",
                labels(interface) + [
                    ("ifindex", "\(interface.ifindex)"), ("kind", interface.kind ?? ""),
                    ("driver", interface.driver ?? ""), ("operstate", interface.operstate),
                    ("reason", interface.reason ?? ""),
                ], true)
        }
        metrics.family(
            "linkwatch_interface_since_timestamp_seconds", .gauge, unit: "seconds",
            help: "When the settled state last changed, in seconds since the epoch.")
        for interface in interfaces {
            metrics.sample(
                "linkwatch_interface_since_timestamp_seconds", labels(interface),
                microseconds: now.sinceRealtimeUsec(of: interface))
        }
        metrics.family(
            "linkwatch_interface_speed_bytes_per_second", .gauge, help: "Speed of the link, where it is known.")
        for interface in interfaces {
            guard let speed = interface.speed, speed > 0 else { continue }
            let value = Int64(speed).multipliedReportingOverflow(by: 125_000)
            if value.overflow { continue }
            metrics.sample("linkwatch_interface_speed_bytes_per_second", labels(interface), value.partialValue)
        }
    }

    private static func gauge(
        _ name: String, _ help: String, _ interfaces: [InterfaceRecord], _ metrics: inout MetricsText,
        _ value: (InterfaceRecord) -> Bool
    ) {
        metrics.family("linkwatch_\(name)", .gauge, help: help)
        for interface in interfaces { metrics.sample("linkwatch_\(name)", labels(interface), value(interface)) }
    }

    private static func labels(_ interface: InterfaceRecord) -> MetricsText.Labels { [("ifname", interface.ifname)] }

    // MARK: Routes

    private static func routes(_ routes: [RouteRecord], _ metrics: inout MetricsText) {
        metrics.family("linkwatch_route_present", .gauge, help: "Whether a tracked route exists and its device works.")
        for route in routes {
            let labels: MetricsText.Labels = [
                ("dst", route.dst), ("type", route.type), ("table", "\(route.table)"), ("metric", "\(route.metric)"),
                ("protocol", "\(route.`protocol`)"), ("via", route.gateways.joined(separator: ",")),
                ("ifindex", route.ifindexes.map(String.init).joined(separator: ",")),
            ]
            metrics.sample("linkwatch_route_present", labels, route.present)
        }
    }

    // MARK: The daemon

    private static func daemon(_ statistics: StatisticsRecord, _ metrics: inout MetricsText) {
        metrics.family("linkwatch_daemon", .gauge, help: "The daemon's version as a label; always 1.")
        metrics.sample("linkwatch_daemon", [("version", statistics.version)], true)
        metrics.family(
            "linkwatch_start_timestamp_seconds", .gauge, unit: "seconds",
            help: "When linkwatchd started, in seconds since the epoch.")
        metrics.sample("linkwatch_start_timestamp_seconds", [], microseconds: statistics.startedRealtimeUsec)
        value("interfaces", .gauge, "Interfaces in the mirror.", Int64(statistics.interfaces), &metrics)
        value("routes", .gauge, "Tracked routes in the mirror.", Int64(statistics.routes), &metrics)
        value("subscribers", .gauge, "Consumers that watch right now.", Int64(statistics.subscribers), &metrics)
        value("subscriber_overflows", .counter, "Times a consumer was too slow.", Int64(statistics.overflows), &metrics)
        value("events", .counter, "Events published.", Int64(statistics.events), &metrics)
        value("reloads", .counter, "Configuration files taken.", Int64(statistics.reloads), &metrics)
        value(
            "degraded", .gauge, "Whether interfaces or routes may be missing or out of date.",
            statistics.degraded == nil ? 0 : 1, &metrics)
        value(
            "reload_failed", .gauge, "Whether the last file was refused.", statistics.reloadError == nil ? 0 : 1,
            &metrics)
    }

    private static func netlink(_ statistics: StatisticsRecord, _ metrics: inout MetricsText) {
        value("netlink_messages", .counter, "Messages from the kernel.", Int64(statistics.netlinkMessages), &metrics)
        value("netlink_ignored", .counter, "Messages of no concern here.", Int64(statistics.netlinkIgnored), &metrics)
        value(
            "netlink_malformed", .counter, "Messages that were refused.", Int64(statistics.netlinkMalformed), &metrics)
        value(
            "netlink_overruns", .counter, "Times the kernel dropped messages.", Int64(statistics.netlinkOverruns),
            &metrics)
        value("resyncs", .counter, "Times the mirror was read again.", Int64(statistics.resyncs), &metrics)
        value("dump_retries", .counter, "Dumps that a change interrupted.", Int64(statistics.dumpRetries), &metrics)
        value(
            "inconsistent", .gauge, "Whether the mirror waits for an undisturbed dump.",
            statistics.inconsistent ? 1 : 0, &metrics)
    }

    private static func value(
        _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: Int64, _ metrics: inout MetricsText
    ) {
        metrics.family("linkwatch_\(name)", kind, help: help)
        metrics.sample("linkwatch_\(name)" + (kind == .counter ? "_total" : ""), [], value)
    }

    // MARK: Probes

    private static func probes(_ probes: ProbeTable, _ metrics: inout MetricsText) {
        func family(
            _ name: String, _ kind: MetricsText.Kind, _ help: String, unit: String? = nil,
            sample: (inout MetricsText, MetricsText.Labels, ProbeRecord) -> Void
        ) {
            metrics.family("linkwatch_probe_\(name)", kind, unit: unit, help: help)
            for entry in probes.entries { sample(&metrics, [("source", entry.name)], entry.record) }
        }
        family("ports", .gauge, "Ports that are probed.") { metrics, labels, probe in
            metrics.sample("linkwatch_probe_ports", labels, Int64(probe.ports))
        }
        family("interval_seconds", .gauge, "Time between two sweeps.", unit: "seconds") { metrics, labels, probe in
            metrics.sample("linkwatch_probe_interval_seconds", labels, microseconds: probe.intervalUsec)
        }
        family("polls", .counter, "Ports asked.") { metrics, labels, probe in
            metrics.sample("linkwatch_probe_polls_total", labels, Int64(probe.polls))
        }
        family("ioctls", .counter, "System calls made to answer those polls.") { metrics, labels, probe in
            metrics.sample("linkwatch_probe_ioctls_total", labels, Int64(probe.ioctls))
        }
        family("overruns", .counter, "Sweeps that missed their deadline.") { metrics, labels, probe in
            metrics.sample("linkwatch_probe_overruns_total", labels, Int64(probe.overruns))
        }
        family("stale_seconds", .gauge, "The longest wait right now.", unit: "seconds") { metrics, labels, probe in
            metrics.sample("linkwatch_probe_stale_seconds", labels, microseconds: Int64(probe.staleMs) &* 1_000)
        }
        family("latency_seconds", .histogram, "How long one reading took.", unit: "seconds") { metrics, labels, probe in
            let buckets = probe.latency.map { (leUsec: $0.le.map(Int64.init), count: Int64($0.count)) }
            metrics.histogram(
                "linkwatch_probe_latency_seconds", labels, buckets: buckets, sumUsec: probe.latencySumUsec)
        }
    }
}
