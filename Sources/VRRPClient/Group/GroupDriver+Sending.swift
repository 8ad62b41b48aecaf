/// What a group sends, and what it learns from a send that failed.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

extension GroupDriver {
    /// Whether we were stopped within this turn, for so long that the leases may have ended. What was decided before is not to
    /// be said any more: the other router, which serves by now, would yield. The next turn notices the sleep.
    private var hasSleptInTurn: Bool { loop.stoppedNs >= AddressLease.sleepNs(group.addressLeaseNs) }

    func sendAdvert(_ leg: Leg, _ priority: UInt8) {
        if priority > 0, hasSleptInTurn { return }
        var outcome = leg.sendAdvert(priority: priority)
        if case .failed(let error) = outcome, leg.lacksMacvlan(by: error) {
            remakeMacvlan(of: leg, because: "sending through its macvlan failed (\(error))")
            outcome = leg.sendAdvert(priority: priority)
            // What is wrong is told already.
            if case .failed(let error) = outcome, leg.lacksMacvlan(by: error) {
                return retries.cannotHold(leg.instance.name, .macvlan("\(error)"))
            }
        }
        judge(outcome, leg)
        if case .failed = outcome, leg.isLingering { chooseSource(of: leg, mayLinger: false) }
        if priority > 0 { leg.bequeath(to: services.runner) }
    }

    func sendHeartbeat(_ cable: Cable, _ word: PeerWord) {
        guard let source = cable.source, word.priority == 0 || !hasSleptInTurn else { return }
        let advert = HeartbeatCodec.advert(
            word, cable: cable.configuration, source: source, peerIdentity: peerIdentity,
            members: engine.configuration.members)
        let interface = cable.heartbeat.interface
        switch cable.send(advert) {
        case .sent: setCondition(Condition(.sendFiltered, interface), false)
        case .sentAround: setCondition(Condition(.sendFiltered, interface), true)
        // A heartbeat that cannot be sent is no cause of FAULT: the peer notices the silence.
        case .failed: break
        }
        if !word.holds.isEmpty {
            cable.bequeath(as: word.identity, to: services.runner)
        } else if !engine.configuration.hasAddresses {
            cable.revokeLastWord(from: services.runner)
        }
    }

    /// A backup sends nothing, so it cannot notice that sending would work again: the condition ends here.
    func forgetSendFailures() {
        for leg in legs {
            setSendFiltered(leg, false)
            judgeSize(of: leg)
        }
    }

    /// An interface that is gone or down is a cause; a packet filter is a condition; so is anything else.
    func judge(_ outcome: SendOutcome, _ leg: Leg) {
        let interface = leg.instance.interface
        switch outcome {
        case .sent, .sentAround:
            setSendFiltered(leg, outcome == .sentAround)
            setCondition(Condition(.sendFailed, leg.instance.name), false)
        case .failed(let error):
            let fatal: [Errno] = [.networkDown, .noSuchAddressOrDevice, .operationNotSupportedByDevice]
            if fatal.contains(error), leg.instance.tracksInterface {
                setCause(Cause(.sendDenied, interface), true)
            } else if error == .notPermitted {
                setSendFiltered(leg, true)
            } else {
                setCondition(
                    Condition(.sendFailed, leg.instance.name, detail: leg.oversize ?? error.description), true)
            }
        }
    }

    /// A packet filter drops adverts of a leg, or no longer does; other legs may be on the same interface.
    private func setSendFiltered(_ leg: Leg, _ isFiltered: Bool) {
        leg.isSendFiltered = isFiltered
        let interface = leg.instance.interface
        let isAny = isFiltered || legs.contains { $0.isSendFiltered && $0.instance.interface == interface }
        setCondition(Condition(.sendFiltered, interface), isAny)
    }

    /// Tells, before the group is master, whether its adverts fit the interface's MTU.
    func judgeSize(of leg: Leg) {
        let oversize = leg.oversize
        setCondition(Condition(.sendFailed, leg.instance.name, detail: oversize ?? ""), oversize != nil)
    }
}
