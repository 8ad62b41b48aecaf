/// The virtual addresses of one leg in the kernel: wanted by the engine, leased from the kernel, and watched.
///
/// *Lease.* Each address is added with a valid lifetime and refreshed three times per lifetime. A process that is killed or
/// stopped refreshes nothing, and the kernel itself takes the addresses back. The kernel counts in whole seconds.
///
/// *Whose is it?* Ours carry protocol 112 (`IFA_PROTO`, kernel 5.18; before that, a lease tells them). A virtual address
/// that somebody configured for good is left alone: that is how the owner of RFC 9568 has its addresses.
///
/// *Prefix.* An address goes in with the configured prefix only where that brings no trouble: as a secondary of an address
/// that is there, or where the kernel promotes secondaries. Otherwise with all its bits.
///
/// *Foreign removal* is noticed by the mirror and repaired: at once, then at growing intervals, for as long as the address
/// is wanted; meanwhile `onMissing` says so.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class LegAddresses {
    /// The protocol number that marks our addresses, VRRP's own. (`IFA_PROTO`)
    static let protocolNumber: UInt8 = 112

    private let name: String
    private let prefixes: [(address: IPAddress, length: Int)]
    private let leaseNs: Int64
    private let kernel: KernelState
    private let loop: EventLoop

    private var ifindex: Int32?
    private var keys: [AddressKey] = []
    private var present: Set<AddressKey> = [] {
        didSet { renewal = nil }
    }
    /// What refreshes the lease of those that are present and ours, as `RtnlRequester.post` takes it; nil: to be made anew.
    private var renewal: [UInt8]?
    private(set) var isWanted = false
    private(set) var isHolding = false
    private var refreshedNs: Int64 = 0

    private var repairs = 0
    private var repairTimer: EventLoop.TimerID?
    private var isMissing = false

    /// Called when the kernel's table begins or ends to list any of the addresses.
    var onHolding: (Bool) -> Void = { _ in }
    /// Called when a wanted address cannot be kept in the kernel's table, and when it can again.
    var onMissing: (Bool) -> Void = { _ in }

    /// Repairs in a row after which it is said aloud.
    private static let quietRepairs = 2
    private static let repairMaxNs: Int64 = 5_000_000_000

    init(name: String, prefixes: [IPPrefixOfLeg], leaseNs: Int64, kernel: KernelState, loop: EventLoop) {
        self.name = name
        self.prefixes = prefixes.map { ($0.address, $0.length) }
        self.leaseNs = leaseNs
        self.kernel = kernel
        self.loop = loop
    }

    deinit { if let repairTimer { loop.cancel(repairTimer) } }

    // MARK: Where they live

    /// The interface that carries the addresses; nil: there is none at present.
    func bind(to ifindex: Int32?) {
        guard ifindex != self.ifindex else { return }
        // An interface that goes takes its addresses along; one that has been renamed does not.
        if isWanted { removeOurs() }
        self.ifindex = ifindex
        keys = []
        present = []
        if let ifindex {
            keys = prefixes.map {
                AddressKey(
                    ifindex: ifindex, address: $0.address,
                    prefixLength: UInt8(clamping: prefixLength($0.address, $0.length, on: ifindex)))
            }
        }
        observe()
        if isWanted, ifindex != nil { add() }
    }

    private func prefixLength(_ address: IPAddress, _ length: Int, on ifindex: Int32) -> Int {
        guard length < address.family.width else { return length }
        let others = kernel.addresses(of: ifindex).filter { !Self.isOurs($0) }
        let isSecondary = others.contains { other in
            Int(other.key.prefixLength) == length
                && IPPrefix(other.key.address, length: length)?.contains(address) == true
                && other.key.address != address
        }
        if isSecondary || address.family == .ipv6 { return length }
        guard let link = kernel.link(ifindex: ifindex), Sysctl.promoteSecondaries(on: link.name) else {
            return address.family.width
        }
        return length
    }

    // MARK: What the engine wants

    /// Adds them; from now on they are refreshed.
    func add() {
        isWanted = true
        refreshedNs = Clock.monotonicNs()
        put(keys.filter { !isForeign($0) })
    }

    /// Removes them, and returns when the kernel has confirmed.
    func remove() {
        isWanted = false
        stopRepairing()
        removeOurs()
        report()
    }

    private func removeOurs() {
        let ours = keys.filter { !isForeign($0) }
        // Also those that we do not know to be there: one that is not costs an error that nobody reads.
        _ = try? kernel.requests.perform(ours.map(RtnlRequest.removeAddress))
        present.subtract(ours)
    }

    /// Removes all but some, and lets a successor want what this leg wanted.
    func handOver(to successor: LegAddresses?, keeping kept: [IPAddress]) {
        let surplus = keys.filter { !isForeign($0) && !kept.contains($0.address) }
        if isWanted { _ = try? kernel.requests.perform(surplus.map(RtnlRequest.removeAddress)) }
        successor?.isWanted = isWanted
        isWanted = false
        stopRepairing()
    }

    private func put(_ keys: [AddressKey]) {
        do throws(Errno) {
            for (key, refusal) in zip(keys, try kernel.requests.perform(keys.map { .putAddress(request($0)) })) {
                if let refusal {
                    Log.error("\(name): \(key.address) cannot be added: \(refusal)")
                } else {
                    present.insert(key)
                }
            }
        } catch {
            Log.error("\(name): its addresses cannot be added: \(error)")
        }
        report()
        repairIfNeeded()
    }

    private func request(_ key: AddressKey) -> AddressRequest {
        var request = AddressRequest(key: key, validSeconds: UInt32(clamping: max(1, leaseNs / 1_000_000_000)))
        // A preferred IPv6 address would become the source of the router's own connections.
        request.isPreferred = false
        request.noPrefixRoute = key.address.isIPv6 && key.prefixLength < 128
        request.addressProtocol = Self.protocolNumber
        return request
    }

    // MARK: The lease

    /// When the lease wants to be refreshed; nil: nothing is leased.
    var refreshDueNs: Int64? { isWanted && !keys.isEmpty ? refreshedNs + leaseNs / 3 : nil }

    /// How much earlier than due it may be refreshed, so that one wake-up serves for several things.
    var refreshSlackNs: Int64 { leaseNs / 6 }

    /// Whether the kernel may have taken the addresses back before we came to refresh them: we slept.
    func hasLapsed(nowNs: Int64) -> Bool { isWanted && nowNs - refreshedNs >= leaseNs }

    /// What refreshes the lease. An address that somebody took away is not smuggled back in: that is the repair's job.
    func refresh(nowNs: Int64) -> [UInt8] {
        refreshedNs = nowNs
        if let renewal { return renewal }
        // An advert lists no more addresses than fit one request.
        let made = kernel.requests.encode(present.filter { !isForeign($0) }.map { .putAddress(request($0)) }) ?? []
        renewal = made
        return made
    }

    // MARK: What the kernel has

    /// Looks at the mirror again.
    func observe() {
        present = Set(keys.filter { kernel.addresses[$0] != nil })
        report()
        repairIfNeeded()
    }

    /// Whether a change of this address concerns the leg.
    func concerns(_ key: AddressKey) -> Bool { key.ifindex == ifindex && keys.contains(key) }

    private func isForeign(_ key: AddressKey) -> Bool { kernel.addresses[key].map { !Self.isOurs($0) } ?? false }

    static func isOurs(_ address: Address) -> Bool {
        address.addressProtocol == protocolNumber || address.addressProtocol == 0 && address.hasLease
    }

    private func report() {
        // An address that is there for good is the owner's: it is held while it is wanted, and never ours to remove.
        let isHeld = isWanted ? !present.isEmpty : present.contains { !isForeign($0) }
        guard isHolding != isHeld else { return }
        isHolding = isHeld
        onHolding(isHolding)
    }

    private func repairIfNeeded() {
        guard isWanted, !keys.isEmpty, present.count < keys.count else {
            if isMissing, present.count == keys.count { setMissing(false) }
            return
        }
        guard repairTimer == nil else { return }
        if repairs >= Self.quietRepairs { setMissing(true) }
        let delayNs = repairs == 0 ? 0 : min(50_000_000 << Int64(min(repairs, 10)), Self.repairMaxNs)
        repairs += 1
        repairTimer = loop.schedule(atNs: Clock.monotonicNs() + delayNs) { [unowned self] in
            repairTimer = nil
            guard isWanted else { return }
            put(keys.filter { !present.contains($0) })
            // Quiet for a while means that whoever took it away has stopped.
            if present.count == keys.count { calmDown() }
        }
    }

    private func calmDown() {
        let seen = repairs
        loop.schedule(atNs: Clock.monotonicNs() + 2 * Self.repairMaxNs) { [weak self] in
            if let self, repairs == seen { repairs = 0 }
        }
    }

    private func stopRepairing() {
        if let repairTimer { loop.cancel(repairTimer) }
        repairTimer = nil
        repairs = 0
        setMissing(false)
    }

    private func setMissing(_ missing: Bool) {
        guard missing != isMissing else { return }
        isMissing = missing
        onMissing(missing)
    }
}

/// An address and the prefix length that the file gives it.
struct IPPrefixOfLeg: Hashable {
    var address: IPAddress
    var length: Int
}
