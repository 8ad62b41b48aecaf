/// Every word that keepalived 2.2.7 to 2.4.3 reads for VRRP, and what becomes of it. A word becomes carried by changing its row
/// here, once `Translation` writes it.
///
/// The order is that of keepalived.conf(5).
extension Keywords {
    public static let table: [Keyword] =
        file + global + instance + authentication + group + script + process + trackedFile + garpGroup + address + route
        + rule + peer + track

    private static let checker =
        "It is for LVS: keep using keepalived for that, as `keepalived -C`, which runs no VRRP."
    private static let mail = "It is for the mail of `smtp_alert`, and without that it has no effect."
    private static let noMail =
        "A `[notify]` program sends the mail with curl(1), which has to be installed."
    private static let snmp = "There is no SNMP: use `linkwatch vrrp --json`, or the metrics."
    private static let dbus = "There is no D-Bus: follow the socket, `linkwatch vrrp --watch --json`."
    private static let own =
        "It concerns keepalived's own processes. For linkwatch-vrrp see its unit."
    private static let onStart =
        "linkwatch adds to the kernel only what moves with a group: put it into the configuration of the network, such "
        + "as systemd.network(5) or interfaces(5)."
    private static let ofUnit =
        "It does not move with a group: `linkwatch-static.service`, which `--output` writes, adds it at the start and deletes it at "
        + "the end. The report has the command of each."
    private static let fifo = "Use a `[notify]` program, or follow the socket: `linkwatch vrrp --watch --json`."

    private static let file: [Keyword] = [
        Keyword(.file, "global_defs", .block(.global), .carried, "what holds for all, written out in each group"),
        Keyword(.file, "vrrp_instance", .block(.instance), .carried, "`[instance.NAME]`"),
        Keyword(.file, "vrrp_sync_group", .block(.group), .carried, "`[group.NAME]`"),
        Keyword(
            .file, "vrrp_script", .block(.script), .carried, "`[check.NAME]`; a check that nothing tracks is left out"),
        Keyword(.file, "vrrp_track_process", .block(.process), .carried, "`{ process = \"NAME\" }` in `track`"),
        Keyword(.file, "vrrp_track_file", .block(.trackedFile), .carried, "`{ file = ... }` in `track`"),
        Keyword(.file, "track_file", .block(.trackedFile), .carried, "`{ file = ... }` in `track`"),
        Keyword(
            .file, "garp_group", .block(.garpGroup), .carried, "`announce-interval` of the groups on its interfaces"),
        Keyword(
            .file, "bfd_instance", .foreign, .never(.loss),
            "There is no BFD: heartbeats tell a dead peer within three of their intervals; track a route of the daemon that speaks BFD."
        ),
        Keyword(.file, "track_group", .foreign, .never(.loss), onStart),
        Keyword(.file, "static_ipaddress", .list, .never(.loss), ofUnit),
        Keyword(.file, "static_routes", .list, .never(.loss), ofUnit),
        Keyword(.file, "static_rules", .list, .never(.loss), ofUnit),
        Keyword(
            .file, "linkbeat_interfaces", .list, .different,
            "linkwatchd asks the PHY and the driver of every interface."),
        Keyword(
            .file, "linkbeat_use_polling", .line, .different,
            "linkwatchd asks the PHY and the driver of every interface."),
        Keyword(
            .file, "interface_up_down_delays", .list, .never(.loss),
            "Give the interface `up-delay` and `down-delay` in linkwatchd.toml, and the group `link-state = \"settled\"`."
        ),
        Keyword(
            .file, "net_namespace", .line, .never(.loss),
            "Start linkwatchd and linkwatch-vrrp in the namespace: `NetworkNamespacePath=` of systemd.exec(5), or ip-netns(8)."
        ),
        Keyword(.file, "net_namespace_ipvs", .line, .never(.loss), checker),
        Keyword(.file, "namespace_with_ipsets", .line, .different, "linkwatch uses no ipsets."),
        Keyword(
            .file, "instance", .line, .different,
            "Two processes side by side have two files, with a `state-directory` and a `[socket]` each."),
        Keyword(.file, "use_pid_dir", .line, .different, own),
        Keyword(.file, "child_wait_time", .line, .different, own),
        Keyword(.file, "virtual_server", .foreign, .never(.loss), checker),
        Keyword(.file, "virtual_server_group", .foreign, .never(.loss), checker),
        Keyword(.file, "SSL", .foreign, .never(.loss), checker),
    ]

    private static let global: [Keyword] =
        [
            Keyword(.global, "vrrp_version", .line, .carried, "`version`"),
            Keyword(.global, "vrrp_garp_master_delay", .line, .carried, "`announce-repeat`"),
            Keyword(.global, "vrrp_garp_master_repeat", .line, .depends(.loss), "`announce-count`, from 1 to 50."),
            Keyword(.global, "vrrp_garp_master_refresh", .line, .carried, "`announce-refresh`"),
            Keyword(
                .global, "vrrp_garp_master_refresh_repeat", .line, .depends(.loss),
                "`announce-refresh-count`, from 1 to 50."),
            Keyword(.global, "vrrp_garp_lower_prio_delay", .line, .carried, "`announce-lower-repeat`"),
            Keyword(
                .global, "vrrp_garp_lower_prio_repeat", .line, .depends(.difference),
                "`announce-lower-count`, at most 50."),
            Keyword(.global, "vrrp_garp_interval", .line, .carried, "`announce-interval` of all groups"),
            Keyword(.global, "vrrp_gna_interval", .line, .carried, "`announce-interval` of the groups with IPv6"),
            Keyword(
                .global, "vrrp_min_garp", .line, .depends(.difference),
                "One announcement in a burst and no second burst: `announce-count = 1`, `announce-repeat = \"0s\"`."),
            Keyword(
                .global, "vrrp_garp_extra_if", .line, .never(.loss),
                "Announcements leave through the interface that has the address."),
            Keyword(
                .global, "vrrp_vmac_garp_intvl", .line, .never(.loss),
                "Announcements leave through the interface that has the address."),
            Keyword(.global, "vrrp_mcast_group4", .line, .carried, "`multicast-group` of the instances with IPv4"),
            Keyword(.global, "vrrp_mcast_group6", .line, .carried, "`multicast-group` of the instances with IPv6"),
            Keyword(.global, "vrrp_down_timer_adverts", .line, .carried, "`down-intervals`"),
            Keyword(
                .global, "vrrp_strict", .line, .depends(.difference),
                "What it forbids is left out, and `accept = false` unless the priority is 255."),
            Keyword(
                .global, "vrrp_skip_check_adv_addr", .line, .different,
                "An advert with another list of addresses counts, and raises the condition `addresses-differ`."),
            Keyword(
                .global, "vrrp_check_unicast_src", .line, .different,
                "With unicast peers, adverts of others never count."),
            Keyword(.global, "vrrp_lower_prio_no_advert", .line, .carried, "`answer-lower = false`"),
            Keyword(.global, "vrrp_higher_prio_send_advert", .line, .carried, "`answer-higher = true`"),
            Keyword(.global, "vrrp_owner_ignore_adverts", .line, .different, "An owner never yields."),
            Keyword(.global, "v3_checksum_as_v2", .line, .carried, "`checksum = \"message\"`"),
            Keyword(.global, "script_user", .line, .carried, "`user` of every check and program"),
            Keyword(
                .global, "enable_script_security", .line, .different,
                "This is always on: a program that runs as root must belong to root, and so must every folder above it."
            ),
            Keyword(.global, "default_interface", .line, .carried, "`interface` of an address that has none"),
            Keyword(
                .global, "dynamic_interfaces", .line, .different,
                "This is always on: an interface may appear and disappear."),
            Keyword(.global, "vrrp_startup_delay", .line, .carried, "`start-delay` of all groups"),
            Keyword(
                .global, "vrrp_delay_after_boot", .line, .never(.loss),
                "`start-delay` counts from the start of the process: give the group that, or start the unit later."),
            Keyword(.global, "vrrp_rt_priority", .line, .carried, "`[process] realtime-priority`"),
            Keyword(.global, "vrrp_no_swap", .line, .carried, "`[process] lock-memory = true`"),
            Keyword(.global, "vrrp_notify_fifo", .line, .carried, "`[notify]` with a `fifo`"),
            Keyword(.global, "vrrp_notify_fifo_script", .line, .carried, "`exec` beside the `fifo`"),
            Keyword(
                .global, "notify_fifo", .line, .depends(.loss),
                "`[notify]` with a `fifo`, an absolute path; the lines of LVS are not written."),
            Keyword(.global, "notify_fifo_script", .line, .carried, "`exec` beside the `fifo`"),
            Keyword(.global, "fifo_write_vrrp_states_on_reload", .line, .later(.difference), fifo),
            Keyword(.global, "vrrp_notify_priority_changes", .line, .later(.difference), fifo),
            Keyword(.global, "smtp_alert", .line, .depends(.difference), noMail),
            Keyword(.global, "smtp_alert_vrrp", .line, .depends(.difference), noMail),
            Keyword(.global, "router_id", .line, .different, "It only names this router in mails and for SNMP."),
            Keyword(.global, "notification_email", .list, .different, mail),
            Keyword(.global, "startup_script", .line, .never(.loss), "Let the unit run it: `ExecStartPre=`."),
            Keyword(.global, "shutdown_script", .line, .never(.loss), "Let the unit run it: `ExecStopPost=`."),
            Keyword(
                .global, "lvs_sync_daemon", .line, .depends(.difference),
                "A `[notify]` program starts and stops it with ipvsadm(8), which has to be installed."),
            Keyword(.global, "log_unknown_vrids", .line, .different, "Adverts of unknown VRIDs are not logged."),
            Keyword(.global, "vmac_prefix", .line, .carried, "what `virtual-mac-name` begins with"),
            Keyword(.global, "vmac_addr_prefix", .line, .never(.loss), "There are no macvlans for single addresses."),
            Keyword(
                .global, "include_check", .line, .different, "Each kind of `include` reports errors in its own way."),
        ]
        + words(
            .global, mail, "notification_email_from", "smtp_server", "smtp_helo_name", "smtp_connect_timeout",
            "no_email_faults")
        + words(
            .global, own, "process_names", "process_name", "vrrp_process_name", "use_symlink_paths",
            "set_supplementary_groups",
            "startup_script_timeout", "shutdown_script_timeout", "max_auto_priority", "min_auto_priority_delay",
            "disable_local_igmp", "vrrp_iptables", "vrrp_ipsets", "nftables", "nftables_priority", "nftables_ifindex",
            "nftables_counters", "vrrp_priority", "vrrp_cpu_affinity", "vrrp_rlimit_rttime", "vrrp_rlimit_rtime",
            "vrrp_netlink_cmd_rcv_bufs", "vrrp_netlink_cmd_rcv_bufs_force", "vrrp_netlink_monitor_rcv_bufs",
            "vrrp_netlink_monitor_rcv_bufs_force", "process_monitor_rcv_bufs", "process_monitor_rcv_bufs_force",
            "vrrp_rx_bufs_policy", "vrrp_rx_bufs_multiplier", "umask", "random_seed", "reload_check_config",
            "reload_time_file", "reload_repeat", "reload_file", "config_save_dir", "tmp_config_directory",
            "data_use_instance", "json_version", "iproute_usr_dir", "iproute_etc_dir", "state_dump_file",
            "stats_dump_file", "json_dump_file")
        + words(
            .global, checker, "checker_process_name", "lvs_process_name", "smtp_alert_checker",
            "checker_log_all_failures",
            "lvs_timeouts", "lvs_flush", "lvs_flush_on_stop", "lvs_flush_onstop", "nftables_ipvs",
            "nftables_ipvs_priority", "nftables_ipvs_start_fwmark", "lvs_notify_fifo", "lvs_notify_fifo_script",
            "checker_priority", "checker_no_swap", "checker_rt_priority", "checker_cpu_affinity",
            "checker_rlimit_rttime",
            "checker_rlimit_rtime", "lvs_netlink_cmd_rcv_bufs", "lvs_netlink_cmd_rcv_bufs_force",
            "lvs_netlink_monitor_rcv_bufs", "lvs_netlink_monitor_rcv_bufs_force", "rs_init_notifies",
            "no_checker_emails")
        + words(
            .global, "There is no BFD.", "bfd_process_name", "bfd_priority", "bfd_no_swap", "bfd_rt_priority",
            "bfd_cpu_affinity", "bfd_rlimit_rttime", "bfd_rlimit_rtime")
        + words(
            .global, snmp, fate: .never(.loss), "enable_snmp_vrrp", "enable_snmp_keepalived",
            "enable_snmp_rfc", "enable_snmp_rfcv2", "enable_snmp_rfcv3", "enable_snmp_checker")
        + words(
            .global,
            "There is no SNMP. Without `enable_snmp_vrrp` and the option `-x` it has no effect in keepalived either.",
            "enable_traps")
        + words(.global, snmp, "snmp_socket", "snmp_vs_stats_update_interval", "snmp_rs_stats_update_interval")
        + words(.global, dbus, fate: .never(.loss), "enable_dbus")
        + words(.global, dbus, "dbus_service_name", "dbus_no_interface_name")

    private static func words(
        _ section: Keyword.Section, _ text: String, fate: Keyword.Fate = .different, _ names: String...
    ) -> [Keyword] {
        names.map { Keyword(section, $0, .line, fate, text) }
    }

    private static let instance: [Keyword] = [
        Keyword(
            .instance, "state", .line, .carried,
            "`MASTER` overrides `nopreempt` and `preempt_delay`, as in keepalived; else it only says who is master first"
        ),
        Keyword(.instance, "interface", .line, .carried, "`interface`; required, also with unicast"),
        Keyword(.instance, "virtual_router_id", .line, .carried, "`vrid`"),
        Keyword(
            .instance, "priority", .line, .depends(.loss),
            "`priority`, one for a group: members that differ get the lowest."),
        Keyword(
            .instance, "advert_int", .line, .depends(.loss),
            "`advert-interval`, one for a group, at most 40s; rounded as keepalived does."),
        Keyword(.instance, "version", .line, .depends(.loss), "`version`; IPv6 has 3 alone."),
        Keyword(.instance, "native_ipv6", .line, .different, "The addresses tell the family."),
        Keyword(
            .instance, "virtual_ipaddress", .list, .depends(.missing),
            "`addresses`, each in one place; the last of two instances with the same address does without it."),
        Keyword(
            .instance, "virtual_ipaddress_excluded", .list, .carried, "`addresses`, each with `advertised = false`"),
        Keyword(
            .instance, "no_virtual_ipaddress", .line, .carried,
            "`addresses = []`, with `family` if it is IPv6; version 2 does without this line, in keepalived as here"),
        Keyword(
            .instance, "virtual_routes", .list, .depends(.missing),
            "`routes`, of an instance at most 64. The keywords of a route are below; a route with others is missing."),
        Keyword(
            .instance, "virtual_rules", .list, .depends(.missing),
            "`rules`, of an instance at most 64. The keywords of a rule are below; a rule with others is missing."),
        Keyword(.instance, "unicast_peer", .list, .depends(.missing), "`unicast-peers`, at most 16."),
        Keyword(.instance, "unicast_src_ip", .line, .carried, "`source`"),
        Keyword(
            .instance, "mcast_src_ip", .line, .carried,
            "`source`; with `require-link-local = false`, if it is IPv6 and not link-local"),
        Keyword(.instance, "mcast_dst_ip", .line, .carried, "`multicast-group`"),
        Keyword(.instance, "unicast_ttl", .line, .carried, "`unicast-hop-limit`"),
        Keyword(.instance, "unicast_fault_no_peer", .line, .different, "Without peers, adverts are multicast."),
        Keyword(
            .instance, "check_unicast_src", .line, .different, "With unicast peers, adverts of others never count."),
        Keyword(
            .instance, "old_unicast_checksum", .line, .never(.loss),
            "It is for keepalived before 1.3.6: update the peer first."),
        Keyword(.instance, "v3_checksum_as_v2", .line, .carried, "`checksum = \"message\"`"),
        Keyword(.instance, "nopreempt", .line, .carried, "`preempt = false`"),
        Keyword(.instance, "preempt", .line, .carried, "`preempt = true`, the default"),
        Keyword(.instance, "preempt_delay", .line, .depends(.difference), "`preempt-delay`, at most 1h."),
        Keyword(.instance, "authentication", .block(.authentication), .carried, ""),
        Keyword(.instance, "auth_hmac", .block(.hmac), .carried, "`auth-hmac`"),
        Keyword(
            .instance, "use_vmac", .line, .depends(.loss),
            "`virtual-mac` and `virtual-mac-name`, which is `vrrp.VRID` if no name is given. The macvlan is in mode `bridge`, and so reaches others on its interface; it always has the virtual router's MAC address, and belongs to no group of interfaces."
        ),
        Keyword(.instance, "vmac_xmit_base", .line, .carried, "`virtual-mac-adverts = false`"),
        Keyword(
            .instance, "use_vmac_addr", .line, .never(.missing),
            "Addresses on other interfaces use the MAC addresses of those interfaces."),
        Keyword(.instance, "use_ipvlan", .line, .never(.missing), "There is no ipvlan: use `virtual-mac`, or none."),
        Keyword(.instance, "dont_track_primary", .line, .carried, "`track-interface = false`"),
        Keyword(
            .instance, "track_interface", .list, .depends(.loss),
            "`\"link:NAME\"` in `track` of the group, at most 64 objects."),
        Keyword(
            .instance, "track_script", .list, .depends(.loss),
            "`\"check:NAME\"` in `track` of the group. A weight of a member counts as keepalived counts it: not at all in a sync group, unless `sync_group_tracking_weight` is there."
        ),
        Keyword(.instance, "track_process", .list, .carried, "`{ process = \"NAME\" }` in `track` of the group"),
        Keyword(.instance, "track_file", .list, .carried, "`{ file = \"PATH\" }` in `track` of the group"),
        Keyword(
            .instance, "track_bfd", .list, .never(.loss),
            "There is no BFD: heartbeats tell a dead peer within three of their intervals; track a route of the daemon that speaks BFD."
        ),
        Keyword(
            .instance, "track_src_ip", .line, .different,
            "This is always on: a missing source address is a cause of fault."),
        Keyword(
            .instance, "notify_master", .line, .carried, "`[notify]` with `states = [\"master\"]`"),
        Keyword(
            .instance, "notify_backup", .line, .carried, "`[notify]` with `states = [\"backup\"]`"),
        Keyword(.instance, "notify_fault", .line, .carried, "`[notify]` with `states = [\"fault\"]`"),
        Keyword(
            .instance, "notify_stop", .line, .carried, "`[notify]` with `states = [\"stop\"]`"),
        Keyword(
            .instance, "notify", .line, .carried, "`[notify]` with `arguments = \"keepalived\"`"),
        Keyword(
            .instance, "notify_deleted", .line, .carried,
            "`\"deleted\"` among the `states` of a `[notify]`"),
        Keyword(
            .instance, "notify_master_rx_lower_pri", .line, .carried,
            "`[notify]` with `states = [\"master-rx-lower-pri\"]`"),
        Keyword(.instance, "notify_priority_changes", .line, .different, "It is for the FIFO."),
        Keyword(.instance, "smtp_alert", .line, .depends(.difference), noMail),
        Keyword(.instance, "accept", .line, .carried, "`accept = true`, the default"),
        Keyword(.instance, "no_accept", .line, .carried, "`accept = false`, which requires nft(8)"),
        Keyword(
            .instance, "strict_mode", .line, .depends(.difference),
            "What it forbids is left out, and `accept = false` unless the priority is 255."),
        Keyword(
            .instance, "skip_check_adv_addr", .line, .different,
            "An advert with another list of addresses counts, and raises the condition `addresses-differ`."),
        Keyword(
            .instance, "promote_secondaries", .line, .different,
            "Virtual addresses are /32 in the kernel and never primary: removing one removes no other."
        ),
        Keyword(
            .instance, "garp_master_delay", .line, .depends(.difference),
            "`announce-repeat`, at most 1h, one for a group."),
        Keyword(
            .instance, "garp_master_repeat", .line, .depends(.loss), "`announce-count`, from 1 to 50, one for a group."),
        Keyword(
            .instance, "garp_master_refresh", .line, .depends(.difference),
            "`announce-refresh`, at most 1h, one for a group."),
        Keyword(
            .instance, "garp_master_refresh_repeat", .line, .depends(.loss),
            "`announce-refresh-count`, from 1 to 50, one for a group."),
        Keyword(.instance, "garp_lower_prio_delay", .line, .carried, "`announce-lower-repeat`"),
        Keyword(
            .instance, "garp_lower_prio_repeat", .line, .depends(.difference), "`announce-lower-count`, at most 50."),
        Keyword(
            .instance, "garp_extra_if", .line, .never(.loss),
            "Announcements leave through the interface that has the address."),
        Keyword(
            .instance, "vmac_garp_intvl", .line, .never(.loss),
            "Announcements leave through the interface that has the address."),
        Keyword(.instance, "lower_prio_no_advert", .line, .carried, "`answer-lower = false`"),
        Keyword(.instance, "higher_prio_send_advert", .line, .carried, "`answer-higher = true`"),
        Keyword(.instance, "owner_ignore_adverts", .line, .different, "An owner never yields."),
        Keyword(
            .instance, "down_timer_adverts", .line, .depends(.loss),
            "`down-intervals`, one for a group: members that differ get the highest."),
        Keyword(
            .instance, "timer_expired_backup", .line, .never(.loss),
            "A process that was not scheduled listens for one interval more before it takes over."),
        Keyword(
            .instance, "thread_timer_expired", .line, .never(.loss),
            "A process that was not scheduled listens for one interval more before it takes over."),
        Keyword(
            .instance, "lvs_sync_daemon_interface", .line, .depends(.difference),
            "A `[notify]` program starts and stops it with ipvsadm(8), which has to be installed."),
        Keyword(
            .instance, "linkbeat_use_polling", .line, .different,
            "linkwatchd asks the PHY and the driver of every interface."),
        Keyword(.instance, "vrf", .line, .never(.missing), "An instance has an interface: name one in the VRF."),
        Keyword(.instance, "kernel_rx_buf_size", .line, .different, own),
        Keyword(.instance, "debug", .line, .different, "`linkwatch vrrp --watch` says what happens."),
    ]

    private static let authentication: [Keyword] = [
        Keyword(
            .authentication, "auth_type", .line, .carried,
            "with version 2: `PASS` is the default, `AH` becomes `auth-type = \"ah\"`"),
        Keyword(
            .authentication, "auth_pass", .line, .depends(.loss),
            "`auth-pass`, its first 8 characters, which is what keepalived sends; ASCII alone."),
        Keyword(
            .hmac, "key", .line, .depends(.missing),
            "`keys`, at most 8; write a key that is in a file, or that has blanks, there by hand."),
        Keyword(.hmac, "active_key", .line, .carried, "`active-key`"),
        Keyword(.hmac, "time_window", .line, .carried, "`window`"),
        Keyword(.hmac, "anti_replay", .line, .carried, "`replay`"),
        Keyword(.hmac, "mode", .line, .carried, "`mode`"),
    ]

    private static let group: [Keyword] = [
        Keyword(.group, "group", .list, .carried, "`instances`"),
        Keyword(.group, "track_interface", .list, .depends(.loss), "`\"link:NAME\"` in `track`, at most 64 objects."),
        Keyword(.group, "track_script", .list, .depends(.loss), "`\"check:NAME\"` in `track`, at most 64 objects."),
        Keyword(.group, "track_process", .list, .carried, "`{ process = \"NAME\" }` in `track`"),
        Keyword(.group, "track_file", .list, .carried, "`{ file = \"PATH\" }` in `track`"),
        Keyword(
            .group, "track_bfd", .list, .never(.loss),
            "There is no BFD: heartbeats tell a dead peer within three of their intervals; track a route of the daemon that speaks BFD."
        ),
        Keyword(.group, "notify_master", .line, .carried, "`[notify]` with `states = [\"master\"]`"),
        Keyword(.group, "notify_backup", .line, .carried, "`[notify]` with `states = [\"backup\"]`"),
        Keyword(.group, "notify_fault", .line, .carried, "`[notify]` with `states = [\"fault\"]`"),
        Keyword(
            .group, "notify_stop", .line, .carried, "`[notify]` with `states = [\"stop\"]`"),
        Keyword(.group, "notify", .line, .carried, "`[notify]` with `arguments = \"keepalived\"`"),
        Keyword(.group, "smtp_alert", .line, .depends(.difference), noMail),
        Keyword(.group, "global_tracking", .line, .carried, "weights of members count, for the group"),
        Keyword(.group, "sync_group_tracking_weight", .line, .carried, "weights of members count, for the group"),
        Keyword(.group, "notify_priority_changes", .line, .different, "It is for the FIFO."),
    ]

    private static let script: [Keyword] = [
        Keyword(
            .script, "script", .line, .depends(.loss),
            "`exec`. keepalived runs no shell, and nor does linkwatch: a name without a slash is found by `/usr/bin/env`, what begins with `<` goes to `/bin/sh`."
        ),
        Keyword(.script, "interval", .line, .depends(.difference), "`interval`, from 10ms to 1h; the default is 1s."),
        Keyword(
            .script, "timeout", .line, .depends(.difference),
            "`timeout`, from 10ms to 1h; by default the interval. When it is over the program is killed at once."),
        Keyword(.script, "weight", .line, .carried, "`weight` where it is tracked"),
        Keyword(.script, "rise", .line, .depends(.difference), "`rise`, at most 100; the default is 1."),
        Keyword(.script, "fall", .line, .depends(.difference), "`fall`, at most 100; the default is 1."),
        Keyword(
            .script, "user", .line, .depends(.loss),
            "`user`, with a group as `name:group`. A program has the other groups of its user as well; keepalived 2.3 leaves them out unless a colon or `set_supplementary_groups` asks for them."
        ),
        Keyword(.script, "init_fail", .line, .carried, "`initially = \"failed\"`"),
    ]

    private static let process: [Keyword] = [
        Keyword(.process, "process", .line, .carried, "`process`, a path or a name"),
        Keyword(.process, "param_match", .line, .never(.difference), "A process is known by its name."),
        Keyword(.process, "weight", .line, .carried, "`weight` where it is tracked"),
        Keyword(.process, "quorum", .line, .carried, "`at-least`"),
        Keyword(.process, "quorum_max", .line, .never(.loss), "There is no maximum, only `at-least`."),
        Keyword(.process, "delay", .line, .carried, "`up-delay` and `down-delay` where it is tracked"),
        Keyword(.process, "terminate_delay", .line, .carried, "`down-delay` where it is tracked"),
        Keyword(.process, "fork_delay", .line, .carried, "`up-delay` where it is tracked"),
        Keyword(.process, "full_command", .line, .never(.difference), "A process is known by its name."),
    ]

    private static let trackedFile: [Keyword] = [
        Keyword(.trackedFile, "file", .line, .carried, "`{ file = \"PATH\" }` in `track`"),
        Keyword(.trackedFile, "weight", .line, .carried, "`weight` where it is tracked"),
        Keyword(
            .trackedFile, "init_file", .line, .depends(.loss),
            "linkwatch writes no such file, and one that is absent is 0, which adds no weight: write it at boot, as tmpfiles.d(5) does."
        ),
    ]

    private static let garpGroup: [Keyword] = [
        Keyword(.garpGroup, "garp_interval", .line, .carried, "`announce-interval`"),
        Keyword(.garpGroup, "gna_interval", .line, .carried, "`announce-interval`"),
        Keyword(.garpGroup, "interface", .line, .carried, "the groups on it"),
        Keyword(.garpGroup, "interfaces", .list, .carried, "the groups on them"),
    ]

    private static let noAttribute = "The kernel's flag is not set."

    private static let address: [Keyword] = [
        Keyword(.address, "dev", .option, .carried, "`interface`"),
        Keyword(.address, "label", .option, .carried, "`label`"),
        Keyword(.address, "scope", .option, .carried, "`scope`"),
        Keyword(.address, "brd", .option, .carried, "`broadcast`"),
        Keyword(.address, "broadcast", .option, .carried, "`broadcast`"),
        Keyword(.address, "noprefixroute", .option, .carried, "`prefix-route = false`"),
        Keyword(
            .address, "no_track", .option, .depends(.difference),
            "`track-interface = false` on another interface. The interface of the instance counts anyway, and an address that somebody removes is always added again."
        ),
        Keyword(
            .address, "peer", .option, .never(.missing),
            "There are no peer addresses: write the network of the address."),
        Keyword(.address, "home", .option, .never(.difference), noAttribute),
        Keyword(
            .address, "-nodad", .option, .never(.difference),
            "There is no duplicate address detection for a virtual address."),
        Keyword(.address, "mngtmpaddr", .option, .never(.difference), noAttribute),
        Keyword(.address, "autojoin", .option, .never(.difference), noAttribute),
        Keyword(.address, "preferred_lft", .option, .never(.difference), "The lifetimes are those of the lease."),
        Keyword(
            .address, "use_vmac", .option, .never(.missing),
            "A macvlan has all addresses of an instance: use `virtual-mac`."),
    ]

    private static let route: [Keyword] =
        [
            Keyword(.route, "via", .option, .carried, "`via`"), Keyword(.route, "gw", .option, .carried, "`via`"),
            Keyword(.route, "dev", .option, .carried, "`interface`"),
            Keyword(.route, "oif", .option, .carried, "`interface`"),
            Keyword(.route, "table", .option, .carried, "`table`"),
            Keyword(.route, "src", .option, .carried, "`source`"),
            Keyword(.route, "metric", .option, .carried, "`metric`"),
            Keyword(.route, "priority", .option, .carried, "`metric`"),
            Keyword(.route, "preference", .option, .carried, "`metric`"),
            Keyword(.route, "scope", .option, .carried, "`scope`"),
            Keyword(.route, "onlink", .option, .carried, "`onlink`"),
            Keyword(.route, "mtu", .option, .carried, "`mtu`, and `mtu-lock`"),
            Keyword(.route, "inet", .option, .carried, "the addresses tell the family"),
            Keyword(.route, "inet6", .option, .carried, "the addresses tell the family"),
            Keyword(.route, "no_track", .option, .different, "A route that somebody deletes is added again."),
            Keyword(
                .route, "protocol", .option, .never(.difference),
                "Routes have the protocol of linkwatch, so that it knows its own."),
            Keyword(
                .route, "nexthop", .option, .depends(.missing),
                "One is a `via`. Routes with several next hops are not supported: write one next hop, or use a routing daemon."
            ),
            Keyword(.route, "unicast", .option, .carried, "a route like others"),
        ]
        + ["blackhole", "unreachable", "prohibit", "throw"].map { Keyword(.route, $0, .option, .carried, "`type`") }
        + ["local", "broadcast", "multicast", "nat"].map {
            Keyword(
                .route, $0, .option, .never(.missing),
                "Routes of this type are not supported: add them by a `[notify]` program.")
        }

    private static let rule: [Keyword] =
        [
            Keyword(.rule, "from", .option, .carried, "`from`"), Keyword(.rule, "to", .option, .carried, "`to`"),
            Keyword(.rule, "table", .option, .carried, "`table`, by its number"),
            Keyword(.rule, "lookup", .option, .carried, "`table`, by its number"),
            Keyword(
                .rule, "priority", .option, .carried,
                "`priority`; without it 16384 and downwards, as keepalived counts"),
            Keyword(.rule, "preference", .option, .carried, "`priority`"),
            Keyword(.rule, "order", .option, .carried, "`priority`"),
            Keyword(.rule, "iif", .option, .carried, "`iif`"), Keyword(.rule, "dev", .option, .carried, "`iif`"),
            Keyword(.rule, "oif", .option, .carried, "`oif`"),
            Keyword(.rule, "fwmark", .option, .carried, "`fwmark`"),
            Keyword(.rule, "tos", .option, .carried, "`tos`, by its number"),
            Keyword(.rule, "dsfield", .option, .carried, "`tos`, by its number"),
            Keyword(.rule, "ipproto", .option, .carried, "`ipproto`"),
            Keyword(.rule, "sport", .option, .carried, "`sport`; keepalived passes over a single port"),
            Keyword(.rule, "dport", .option, .carried, "`dport`; keepalived passes over a single port"),
            Keyword(.rule, "uidrange", .option, .carried, "`uidrange`"),
            Keyword(.rule, "not", .option, .carried, "`not = true`"),
            Keyword(.rule, "l3mdev", .option, .carried, "`l3mdev = true`"),
            Keyword(.rule, "type", .option, .carried, "`type`"),
            Keyword(.rule, "blackhole", .option, .carried, "`type`"),
            Keyword(.rule, "unreachable", .option, .carried, "`type`"),
            Keyword(.rule, "prohibit", .option, .carried, "`type`"),
            Keyword(.rule, "suppress_prefixlength", .option, .carried, "`suppress-prefixlength`"),
            Keyword(.rule, "sup_pl", .option, .carried, "`suppress-prefixlength`"),
            Keyword(.rule, "inet", .option, .carried, "the addresses tell the family"),
            Keyword(.rule, "inet6", .option, .carried, "the addresses tell the family"),
            Keyword(.rule, "no_track", .option, .different, "A rule that somebody deletes is added again."),
            Keyword(
                .rule, "protocol", .option, .never(.difference),
                "Rules have the protocol of linkwatch, so that it knows its own."),
        ]
        + ["goto", "nop", "realms", "tunnel-id", "suppress_ifgroup", "sup_group"].map {
            Keyword(
                .rule, $0, .option, .never(.missing),
                "vrrp.toml has no word for it: add the rule by a `[notify]` program.")
        }

    private static let peer: [Keyword] = [
        Keyword(.peer, "min_ttl", .option, .carried, "`least-hop-limit`, the lowest of all peers"),
        Keyword(.peer, "max_ttl", .option, .different, "There is no upper limit: a TTL of 255 is that of a near peer."),
    ]

    private static let track: [Keyword] = [
        Keyword(.track, "weight", .option, .carried, "`weight`"),
        Keyword(.track, "reverse", .option, .carried, "`inverted = true`, with a weight of the other sign"),
        Keyword(.track, "noreverse", .option, .carried, "the default"),
    ]
}
