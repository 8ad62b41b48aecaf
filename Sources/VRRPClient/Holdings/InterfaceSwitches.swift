/// The *switches* (sysctls, `net/ipv4/conf/IFNAME/...`) of interfaces that virtual addresses need: read before they are
/// changed, checked again, and restored.
///
/// A switch whose present value will do is not touched. One of an interface that is not ours is *borrowed*: the value
/// that it had is recorded before it is turned (`HoldingsRecord`) and restored when the last instance that needs it
/// releases it, by the runner of a process that has died, or by `--release`. It is restored only if it still has the
/// value that we wrote: otherwise somebody else has changed it on purpose. Nothing is ever written to `all` or
/// `default`, so other interfaces are not affected.
import Glibc
import LinuxSystem
import SystemPackage

/// What one switch of an interface has to be.
struct SwitchNeed: Hashable {
    /// `arp_ignore`, below `net/ipv4/conf/IFNAME` or `net/ipv6/conf/IFNAME`.
    var name: String
    var isIPv6 = false
    /// What is written when the present value will not do.
    var value: Int
    /// What does as well.
    var alsoGood: Set<Int> = []
    /// Whether the greater one of this and `all` counts. (`IN_DEV_MAXCONF`, `IN_DEV_ORCONF` in `include/linux/inetdevice.h`)
    var isRaisedByAll = false

    func path(_ interface: String) -> String { "net/\(isIPv6 ? "ipv6" : "ipv4")/conf/\(interface)/\(name)" }

    func isMet(by value: Int) -> Bool { value == self.value || alsoGood.contains(value) }

    /// What counts on an interface.
    func inForce(on interface: String) throws(Errno) -> Int {
        let own = try Sysctl.value(path(interface))
        return isRaisedByAll ? max(own, try Sysctl.value(path("all"))) : own
    }

    /// Turns the switch of an interface unless its value will do, and looks whether that helped.
    ///
    /// - Parameter willTurn: called with the present value before it is turned.
    /// - Returns: why the need is not met; nil: it is.
    func meet(on interface: String, willTurn: (Int) -> Void = { _ in }) -> String? {
        let path = path(interface)
        do throws(Errno) {
            if isMet(by: try inForce(on: interface)) { return nil }
            willTurn(try Sysctl.value(path))
            try Sysctl.set(path, value)
            let now = try inForce(on: interface)
            return isMet(by: now) ? nil : "\(self.path("all")) is \(now) and counts instead of \(path)"
        } catch .noSuchFileOrDirectory {
            // The interface has gone or been renamed, or has no IPv6; that is reported elsewhere.
            return nil
        } catch {
            return "\(path) cannot be set to \(value): \(error)"
        }
    }
}

extension SwitchNeed {
    /// Answer ARP for an interface's own addresses alone. More reserved than 1 are 2 and 8; 3 is less.
    static let arpIgnore = SwitchNeed(name: "arp_ignore", value: 1, alsoGood: [2, 8], isRaisedByAll: true)
    /// Ask by ARP in the name of an interface's own addresses alone.
    static let arpAnnounce = SwitchNeed(name: "arp_announce", value: 2, isRaisedByAll: true)

    /// Those that are borrowed, and no others, are put back by the record.
    static let borrowable = [arpIgnore, arpAnnounce]
}

/// A switch of an interface that is not ours, turned by us.
struct BorrowedSwitch: Hashable {
    /// The interface's number: its name may change.
    var ifindex: Int32
    /// One of `SwitchNeed.borrowable`.
    var need: SwitchNeed
    /// What it held before.
    var original: Int
    /// What we wrote.
    var written: Int

    /// A line of the record, without its end.
    var line: String { "sysctl \(need.name) \(ifindex) \(original) \(written)" }

    init(ifindex: Int32, need: SwitchNeed, original: Int, written: Int) {
        (self.ifindex, self.need, self.original, self.written) = (ifindex, need, original, written)
    }

    /// - Returns: nil for anything but a switch that is ever borrowed.
    init?(words: [String]) {
        guard words.count == 5, words[0] == "sysctl", let ifindex = Int32(words[2]), let original = Int(words[3]),
            let written = Int(words[4]), let need = SwitchNeed.borrowable.first(where: { $0.name == words[1] })
        else { return nil }
        self.init(ifindex: ifindex, need: need, original: original, written: written)
    }

    /// Whether both are about the same switch.
    func isSameSwitch(as other: BorrowedSwitch) -> Bool { ifindex == other.ifindex && need == other.need }

    /// As `putBack(on:)`, by whatever name the interface has now.
    @discardableResult
    func putBack() -> Bool {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard unsafe if_indextoname(UInt32(bitPattern: ifindex), &name) != nil else { return false }
        return putBack(on: String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    /// Puts the value back, unless somebody else has turned the switch meanwhile.
    ///
    /// - Returns: whether it was.
    @discardableResult
    func putBack(on interface: String) -> Bool {
        let path = need.path(interface)
        guard (try? Sysctl.value(path)) == written else { return false }
        do throws(Errno) { try Sysctl.set(path, original) } catch {
            Log.error("\(path) cannot be put back to \(original): \(error)")
            return false
        }
        return true
    }
}

final class InterfaceSwitches {
    private struct Key: Hashable {
        var ifindex: Int32
        var need: SwitchNeed
    }

    private struct Loan {
        var users: Int
        /// nil: its value did, and nothing was written.
        var original: Int?
    }

    private var loans: [Key: Loan] = [:]
    /// The present name of an interface; nil: it is gone.
    private let name: (Int32) -> String?

    /// Called before a switch is turned.
    var onBorrow: (BorrowedSwitch) -> Void = { _ in }
    /// Called after one was given back.
    var onGiveBack: (BorrowedSwitch) -> Void = { _ in }

    init(name: @escaping (Int32) -> String?) { self.name = name }

    /// What is to be put back.
    var borrowed: [BorrowedSwitch] {
        loans.compactMap { key, loan in
            loan.original.map {
                BorrowedSwitch(ifindex: key.ifindex, need: key.need, original: $0, written: key.need.value)
            }
        }
    }

    /// Has an interface that is not ours meet a need, from now until `giveBack`.
    ///
    /// - Returns: why it does not; nil: it does.
    func borrow(_ need: SwitchNeed, on ifindex: Int32) -> String? {
        loans[Key(ifindex: ifindex, need: need), default: Loan(users: 0)].users += 1
        return meet(need, on: ifindex)
    }

    /// Ends what one `borrow` began.
    func giveBack(_ need: SwitchNeed, on ifindex: Int32) {
        let key = Key(ifindex: ifindex, need: need)
        guard var loan = loans[key] else { return }
        loan.users -= 1
        loans[key] = loan.users > 0 ? loan : nil
        guard loan.users == 0, let original = loan.original, let interface = name(ifindex) else { return }
        let borrowed = BorrowedSwitch(ifindex: ifindex, need: need, original: original, written: need.value)
        borrowed.putBack(on: interface)
        onGiveBack(borrowed)
    }

    /// Puts back all that is borrowed: the end of the process.
    func giveBackAll() {
        for loan in borrowed { if let interface = name(loan.ifindex) { loan.putBack(on: interface) } }
        loans = [:]
    }

    /// Meets a need of an interface that is not ours again, for somebody else may have turned the switch.
    ///
    /// - Returns: why it is not met; nil: it is, or the interface is gone.
    func meet(_ need: SwitchNeed, on ifindex: Int32) -> String? {
        guard let interface = name(ifindex) else { return nil }
        let key = Key(ifindex: ifindex, need: need)
        let complaint = need.meet(on: interface) { present in
            loans[key]?.original = present
            onBorrow(BorrowedSwitch(ifindex: ifindex, need: need, original: present, written: need.value))
        }
        // Somebody has set another value that will do: it is theirs, and stays.
        if complaint == nil, loans[key]?.original != nil, (try? Sysctl.value(need.path(interface))) != need.value {
            loans[key]?.original = nil
        }
        return complaint
    }
}
