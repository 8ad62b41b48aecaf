/// The words of a route or a rule, read one after the other, and what becomes of an entry that cannot be written.
import Addresses

/// Why an entry is not written.
enum EntryFailure: Error {
    /// keepalived leaves it out as well.
    case ignored(String)
    /// The kernel does not take it from keepalived either.
    case refused(String)
    case missing(String)
}

struct EntryWords {
    private var rest: ArraySlice<String>

    init(_ words: [String]) {
        rest = words[...]
    }

    mutating func next() -> String? { rest.popFirst() }

    mutating func value(behind word: String) throws(EntryFailure) -> String {
        guard let value = rest.popFirst() else { throw .ignored("nothing stands behind \(word)") }
        return value
    }

    /// Takes the next word if it is this one.
    @discardableResult
    mutating func pass(_ word: String) -> Bool {
        guard rest.first == word else { return false }
        rest.removeFirst()
        return true
    }

    /// An address, which may have its family before it.
    mutating func nextRouter(behind word: String) throws(EntryFailure) -> IPAddress {
        if !pass("inet") { pass("inet6") }
        return try host(behind: word)
    }

    mutating func host(behind word: String) throws(EntryFailure) -> IPAddress {
        let text = try value(behind: word)
        guard let address = IPAddress(text), address.isUnicast else {
            throw .ignored("\(text) is no address of a host")
        }
        return address
    }

    mutating func interface(behind word: String) throws(EntryFailure) -> String {
        let text = try value(behind: word)
        guard isInterfaceName(text) else { throw .ignored("no interface can be named \(text)") }
        return Toml.text(text)
    }

    /// The number of a routing table (`find_rttables_table`).
    mutating func table(behind word: String) throws(EntryFailure) -> String {
        let text = try value(behind: word)
        let known = ["main": 254, "local": 255, "default": 253]
        if let number = known[text] ?? anyBase(text) {
            guard number > 0 else { throw .ignored("there is no table 0") }
            return String(number)
        }
        throw .missing("the table \(text) has a name of this machine: write its number, from /etc/iproute2/rt_tables")
    }

    mutating func number(behind word: String, _ range: ClosedRange<Int>) throws(EntryFailure) -> String {
        let text = try value(behind: word)
        guard let number = wholeNumber(text, range) else {
            throw .ignored("\(text) is not from \(range.lowerBound) on")
        }
        return String(number)
    }

    mutating func scope(behind word: String) throws(EntryFailure) -> String {
        let text = try value(behind: word)
        let known = [
            "global": "global", "universe": "global", "0": "global", "site": "site", "200": "site", "link": "link",
            "253": "link", "host": "host", "254": "host",
        ]
        guard let scope = known[text] else { throw .missing("vrrp.toml has no scope \(text)") }
        return Toml.text(scope)
    }
}

/// A network as `parse_route` reads it: a length that cannot be is that of the whole address.
///
/// - Returns: nil: it is none.
func routePrefix(_ text: String) -> IPPrefix? {
    if let prefix = IPPrefix(text) { return prefix }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    return IPPrefix(address, length: address.family.width)
}

extension Findings {
    /// What `read` writes of an entry; nil: nothing, and why is reported.
    func element(
        _ entry: Statement.Entry, _ read: (Statement.Entry) throws(EntryFailure) -> String
    ) -> String? {
        do throws(EntryFailure) {
            return try read(entry)
        } catch {
            report(entry, error)
            return nil
        }
    }

    func report(_ entry: Statement.Entry, _ failure: EntryFailure) {
        let subject = entry.words.joined(separator: " ")
        switch failure {
        case .ignored(let why):
            add(.difference, entry.place, subject, "\(why): keepalived leaves it out, and so does the import")
        case .refused(let why):
            add(
                .difference, entry.place, subject,
                "the kernel refuses it \(why): keepalived does not get it, and the import leaves it out")
        case .missing(let why): add(.missing, entry.place, subject, why)
        }
    }

    /// A word that the table has: reported, and a reason to leave the entry out if it weighs that much.
    func concern(
        _ entry: Statement.Entry, _ section: Keyword.Section, _ word: String
    ) throws(EntryFailure) {
        guard let keyword = Keywords.find(section, word), keyword.fate != .carried else { return }
        if keyword.fate.weight >= .missing { throw .missing(keyword.text) }
        add(keyword.fate.weight, entry.place, entry.words.joined(separator: " "), keyword.text)
    }
}
