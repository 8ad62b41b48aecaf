/// What keepalived makes of its configuration once it has read all of it: `vrrp_complete_instance`, `vrrp_complete_init` and
/// `check_vrid_conflicts` of vrrp.c. What it corrects is corrected, and reported; what it does not start with ends the import.
import Addresses

/// An instance with nothing left open.
struct CompleteInstance {
    var instance: KeepalivedConfiguration.Instance
    var interface: String
    var vrid: Int
    var family: IPAddress.Family
    var version: Int
    var priority: Int
    /// Whether its own priority was 255.
    let isOwner: Bool
    /// nil: the standard one.
    let multicastGroup: IPAddress?
    var preempts: Bool
    var preemptDelayNs: Int64
    var advertNs: Int64
    var downIntervals: Int
    var accepts: Bool
    /// nil: none.
    var password: String?

    var isUnicast: Bool { !instance.peers.isEmpty }
}

struct Completion {
    private let global: KeepalivedConfiguration.Global
    private let findings: Findings

    init(_ global: KeepalivedConfiguration.Global, _ findings: Findings) {
        self.global = global
        self.findings = findings
    }

    private func corrected(_ place: SourceLine, _ subject: String, _ text: String) {
        findings.add(.difference, place, subject, text + ", in keepalived as here")
    }

    /// - Returns: nil: vrrp.toml cannot have it; the report says why.
    func complete(_ given: KeepalivedConfiguration.Instance) throws(Refusal) -> CompleteInstance? {
        let instance = given
        let isStrict = instance.isStrict ?? global.isStrict
        let family = instance.family ?? .ipv4
        let version = version(instance, family, isStrict)
        let priority = instance.priority ?? (instance.isMaster == true ? 255 : 100)
        var isMaster = instance.isMaster ?? (priority == 255)
        if isStrict, isMaster != (priority == 255) {
            corrected(
                instance.line("state"), "state", "with strict mode MASTER is the owner, whose priority is 255, alone")
            isMaster = priority == 255
        }
        guard let vrid = instance.vrid else {
            throw Refusal(
                line: instance.place, subject: "vrrp_instance \(instance.name)",
                text:
                    "it has no virtual_router_id: keepalived does not start; if this file is a template, import what it becomes"
            )
        }
        if isStrict, !instance.peers.isEmpty {
            throw Refusal(
                line: instance.line("unicast_peer"), subject: "unicast_peer",
                text:
                    "strict mode takes no unicast peers: keepalived does not start; if this file is a template, import what it becomes"
            )
        }
        try checkAddresses(instance, version, isStrict)
        guard let interface = try interface(instance) else { return nil }
        let (preempts, delay) = preemption(instance, priority, isMaster: isMaster, isStrict: isStrict)
        var accepts = instance.accepts ?? (priority == 255 || !isStrict)
        if accepts, priority != 255, isStrict, version == 2 {
            corrected(instance.line("accept"), "accept", "strict mode with version 2 does not accept")
            accepts = false
        }
        return CompleteInstance(
            instance: instance, interface: interface, vrid: vrid, family: family, version: version, priority: priority,
            isOwner: priority == 255, multicastGroup: multicastGroup(instance, family), preempts: preempts,
            preemptDelayNs: delay,
            advertNs: advertInterval(instance, version), downIntervals: downIntervals(instance, isStrict),
            accepts: accepts,
            password: password(instance, family, version, isStrict))
    }

    private func multicastGroup(
        _ instance: KeepalivedConfiguration.Instance, _ family: IPAddress.Family
    ) -> IPAddress? {
        let group = instance.multicastGroup ?? global.groups[family]
        return [IPAddress("224.0.0.18"), IPAddress("ff02::12")].contains(group) ? nil : group
    }

    private func version(
        _ instance: KeepalivedConfiguration.Instance, _ family: IPAddress.Family, _ isStrict: Bool
    ) -> Int {
        guard family == .ipv6 else { return instance.version ?? global.version }
        if instance.version == 2, isStrict {
            corrected(instance.line("version"), "version 2", "IPv6 in strict mode takes version 3")
            return 3
        }
        return instance.version ?? 3
    }

    private func checkAddresses(
        _ instance: KeepalivedConfiguration.Instance, _ version: Int, _ isStrict: Bool
    ) throws(Refusal) {
        guard instance.addresses.isEmpty, !instance.allowsNoAddress || isStrict, version == 3 || isStrict else {
            return
        }
        throw Refusal(
            line: instance.line("virtual_ipaddress"), subject: "vrrp_instance \(instance.name)",
            text:
                "it has no virtual address, and no no_virtual_ipaddress: keepalived does not start; if this file is a template, import what it becomes"
        )
    }

    private func interface(_ instance: KeepalivedConfiguration.Instance) throws(Refusal) -> String? {
        if let interface = instance.interface {
            guard isInterfaceName(interface)
            else {
                throw Refusal(
                    line: instance.line("interface"), subject: "interface \(interface)",
                    text: "no interface can have this name")
            }
            return interface
        }
        guard instance.isUnicastConfigured, instance.source != nil, !instance.hasVirtualMAC else {
            throw Refusal(
                line: instance.place, subject: "vrrp_instance \(instance.name)",
                text:
                    "it has no interface: keepalived does not start; if this file is a template, import what it becomes"
            )
        }
        findings.add(
            .missing, instance.place, "vrrp_instance \(instance.name)",
            "it has no interface, and vrrp.toml needs one: name the one its peers are reached through")
        return nil
    }

    private func preemption(
        _ instance: KeepalivedConfiguration.Instance, _ priority: Int, isMaster: Bool, isStrict: Bool
    ) -> (preempts: Bool, delayNs: Int64) {
        var preempts = instance.preempts
        var delay = instance.preemptDelayNs
        let (place, delayPlace) = (instance.line("nopreempt"), instance.line("preempt_delay"))
        if !preempts, priority == 255 {
            corrected(place, "nopreempt", "an owner, whose priority is 255, always preempts")
            preempts = true
        }
        if !preempts, isMaster {
            corrected(
                place, "nopreempt",
                "it does not work with state MASTER and is void: write state BACKUP on all routers if you want it")
            preempts = true
        }
        if delay > 0, isMaster {
            corrected(
                delayPlace, "preempt_delay",
                "it does not work with state MASTER and is void: write state BACKUP if you want it")
            delay = 0
        }
        if delay > 0, isStrict || !preempts {
            corrected(delayPlace, "preempt_delay", "it goes with neither strict mode nor nopreempt and is void")
            delay = 0
        }
        return (preempts, delay)
    }

    private func downIntervals(_ instance: KeepalivedConfiguration.Instance, _ isStrict: Bool) -> Int {
        let number = instance.downIntervals ?? global.downIntervals
        guard isStrict, number != 3 else { return number }
        corrected(
            instance.line("down_timer_adverts"), "down_timer_adverts \(number)",
            "it does not go with strict mode and is 3")
        return 3
    }

    /// Whole seconds with version 2, whole centiseconds with version 3, at most what the packet can say.
    private func advertInterval(_ instance: KeepalivedConfiguration.Instance, _ version: Int) -> Int64 {
        let step: Int64 = version == 2 ? second : 10_000_000
        let most: Int64 = version == 2 ? 255 * second : 40_950_000_000
        let rounded = max(step, min(most, (instance.advertNs + step / 2) / step * step))
        if rounded != instance.advertNs {
            corrected(
                instance.line("advert_int"), "advert_int",
                "version \(version) has \(version == 2 ? "whole seconds" : "steps of 10 ms"): it is \(Toml.duration(rounded))"
            )
        }
        return rounded
    }

    private func password(
        _ instance: KeepalivedConfiguration.Instance, _ family: IPAddress.Family, _ version: Int, _ isStrict: Bool
    ) -> String? {
        guard let auth = instance.auth else { return nil }
        if instance.hmac != nil {
            corrected(auth.place, "authentication", "auth_hmac takes its place")
            return nil
        }
        let subject = "auth_type \(auth.type)"
        if isStrict || version == 3 || instance.password?.isEmpty ?? true || (family == .ipv6 && auth.type == "AH") {
            corrected(
                auth.place, subject,
                "it is ignored with strict mode, with version 3, without a password, and AH with IPv6: no password is sent"
            )
            return nil
        }
        guard let password = instance.password, let row = Keywords.find(.authentication, "auth_pass") else {
            return nil
        }
        let place = instance.line("auth_pass")
        let sent = Array(password.utf8.prefix(8))
        guard sent.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            findings.add(.loss, place, "auth_pass", row.text)
            return nil
        }
        if password.utf8.count > 8 {
            corrected(place, "auth_pass", "only its first 8 characters are sent")
        }
        return sent.text
    }

    /// One owner for each VRID on an interface.
    ///
    /// - Returns: those that vrrp.toml can have beside each other.
    func distinct(_ legs: [CompleteInstance]) throws(Refusal) -> [CompleteInstance] {
        var result: [CompleteInstance] = []
        for leg in legs {
            let others = result.filter {
                $0.vrid == leg.vrid && $0.family == leg.family && $0.interface == leg.interface
            }
            guard let other = others.first else {
                result.append(leg)
                continue
            }
            if !leg.isUnicast, !other.isUnicast, leg.multicastGroup == other.multicastGroup {
                throw Refusal(
                    line: leg.instance.line("virtual_router_id"), subject: "virtual_router_id \(leg.vrid)",
                    text:
                        "vrrp_instance \(other.instance.name) has it on \(leg.interface) already: keepalived does not start"
                )
            }
            findings.add(
                .missing, leg.instance.line("virtual_router_id"), "vrrp_instance \(leg.instance.name)",
                "vrrp_instance \(other.instance.name) has this VRID on \(leg.interface) already, and vrrp.toml has one owner for it: "
                    + "give it another VRID, on all routers")
        }
        return result
    }
}
