import Addresses

/// What a key takes: how the manual names it, its bounds, how it is read and how the file writes it.
struct Kind<Value> {
    /// What stands after `=` in the manual: `number`, `duration`, `true | false`.
    let form: String
    /// What would be right, for a message.
    let expected: () -> String
    /// The smallest and the largest value, as the file writes them; nil: it has none.
    var bounds: (() -> (low: String, high: String))?
    /// nil: it is not one of these.
    let read: (TomlNode.Value) -> Value?
    /// As the file writes it.
    let write: (Value) -> String
    /// Whether messages must not show it.
    var isSecret = false
    /// What is wrong with a value that is nearly right, and what would be right; nil: nothing in particular.
    var correction: (TomlNode.Value) -> String? = { _ in nil }

    /// What a message says of a value that cannot be read.
    func complaint(_ value: TomlNode.Value) -> String { correction(value) ?? "expected \(expected())" }
}

extension Kind where Value == Bool {
    static var flag: Kind {
        Kind(
            form: "true | false", expected: { "true or false" },
            read: { if case .boolean(let flag) = $0 { flag } else { nil } }, write: { "\($0)" })
    }
}

// MARK: Numbers

extension Kind where Value: BinaryInteger {
    static func number(_ range: ClosedRange<Value>) -> Kind {
        Kind(
            form: "number", expected: { "a whole number from \(range.lowerBound) to \(range.upperBound)" },
            bounds: { ("\(range.lowerBound)", "\(range.upperBound)") },
            read: { value in
                guard case .integer(let number) = value, let number = Value(exactly: number), range ~= number else {
                    return nil
                }
                return number
            }, write: { "\($0)" })
    }
}

extension Kind where Value == Double {
    /// A whole number that is reckoned with as another.
    static func wholeNumber(_ range: ClosedRange<Int64>) -> Kind {
        let kind = Kind<Int64>.number(range)
        return Kind(
            form: kind.form, expected: kind.expected, bounds: kind.bounds, read: { kind.read($0).map(Double.init) },
            write: { "\(Int64($0))" })
    }
}

extension Kind where Value == Int {
    /// What is added to a priority.
    static var weight: Kind {
        let kind = Kind.number(-253...253)
        return Kind(
            form: kind.form, expected: { "\(kind.expected()) that is not 0" }, bounds: kind.bounds,
            read: { kind.read($0).flatMap { $0 == 0 ? nil : $0 } }, write: kind.write)
    }

    /// Bytes: a number, or text with KiB or MiB.
    static func size(_ range: ClosedRange<Int>) -> Kind {
        Kind(
            form: "size",
            expected: {
                "a size from \(formatSize(range.lowerBound)) to \(formatSize(range.upperBound)), such as \"256KiB\""
            }, bounds: { (formatSize(range.lowerBound), formatSize(range.upperBound)) },
            read: { value in
                let size: Int? =
                    switch value {
                    case .integer(let number): Int(exactly: number)
                    case .string(let text): parseSize(text)
                    default: nil
                    }
                guard let size, range ~= size else { return nil }
                return size
            }, write: formatSize)
    }
}

extension Kind where Value == Int64 {
    /// Nanoseconds, from text with a unit; a multiple of `step`.
    static func duration(_ rangeNs: ClosedRange<Int64>, step: Int64 = 1) -> Kind {
        let bounds = { (DurationText.format(rangeNs.lowerBound), DurationText.format(rangeNs.upperBound)) }
        return Kind(
            form: "duration",
            expected: {
                let multiple = step > 1 ? " in steps of \(DurationText.format(step))" : ""
                return "a duration in quotes with its unit (ns, us, ms, s, min, h), from \(bounds().0) to "
                    + "\(bounds().1)\(multiple)"
            }, bounds: bounds,
            read: { value in
                guard case .string(let text) = value, let ns = DurationText.parse(text), rangeNs ~= ns, ns % step == 0
                else { return nil }
                return ns
            }, write: { "\"\(DurationText.format($0))\"" })
    }
}

extension Kind where Value == UInt32 {
    /// As the kernel numbers routing tables.
    static var routingTable: Kind {
        let kind = Kind.number(1...UInt32.max)
        return Kind(
            form: kind.form, expected: { "the number of a routing table, from 1 to 4294967295" }, bounds: kind.bounds,
            read: kind.read, write: kind.write)
    }

    /// Permission bits, in octal as text: a bare 666 would be decimal.
    static var mode: Kind {
        Kind(
            form: "text", expected: { "permissions in octal and in quotes, such as \"0660\"" },
            read: { value in
                guard case .string(let text) = value, let mode = UInt32(text, radix: 8), mode <= 0o777 else {
                    return nil
                }
                return mode
            }, write: { "\"0\(String($0, radix: 8))\"" })
    }
}

// MARK: Words and texts

extension Kind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words that are the raw values.
    static var choice: Kind {
        func words(_ joint: String) -> String { Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: joint) }
        return Kind(
            form: words(" | "), expected: { words(" or ") },
            read: { if case .string(let text) = $0 { Value(rawValue: text) } else { nil } },
            write: { "\"\($0.rawValue)\"" })
    }
}

extension Kind where Value == String {
    static func text(
        _ expected: @autoclosure @escaping () -> String, form: String = "text",
        where isRight: @escaping (String) -> Bool
    ) -> Kind {
        Kind(
            form: form, expected: expected,
            read: { if case .string(let text) = $0, isRight(text) { text } else { nil } },
            write: { form == "path" ? $0 : "\"\($0)\"" })
    }

    static var interfaceName: Kind { .text(interfaceNameExpected, where: isInterfaceName) }

    /// A reference to a section; `expected` says of which kind.
    static func name(_ expected: String) -> Kind { .text(expected, where: isSectionName) }

    static func path(_ expected: String = "an absolute path", atMost limit: Int = 4095) -> Kind {
        .text(expected, form: "path") { isAbsolutePath($0) && $0.utf8.count <= limit }
    }

    /// A path that ends in a name, as that of a folder need not.
    static func filePath(_ expected: String = "the absolute path of a file", atMost limit: Int = 4095) -> Kind {
        .text(expected, form: "path") { path in
            let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
            return isAbsolutePath(path) && path.utf8.count <= limit && !["", ".", ".."].contains(name)
        }
    }

    /// What `sockaddr_un` holds.
    static var socketPath: Kind { .filePath("the absolute path of a socket, of at most 107 bytes", atMost: 107) }
}

// MARK: Addresses

extension Kind where Value == IPAddress {
    /// What one host can have.
    static var host: Kind {
        Kind(
            form: "text", expected: { "an address of a host" },
            read: { value in
                guard case .string(let text) = value, let address = IPAddress(text), address.isUnicast else {
                    return nil
                }
                return address
            }, write: { "\"\($0)\"" })
    }
}

extension Kind where Value == IPPrefix {
    /// A prefix without host bits.
    static var network: Kind {
        var kind = prefix("a network, such as \"0.0.0.0/0\" or \"10.0.0.0/8\"") { $0.isNetwork }
        kind.correction = { value in
            guard case .string(let text) = value, let prefix = IPPrefix(text), !prefix.isNetwork else { return nil }
            return "it has host bits behind the prefix: expected \"\(prefix.network)\""
        }
        return kind
    }

    /// An address with the length of its network's prefix.
    static var hostInNetwork: Kind {
        prefix("an address of a host, such as \"192.0.2.1\" or \"192.0.2.1/24\"") {
            $0.address.isUnicast && $0.length > 0
        }
    }

    private static func prefix(_ expected: String, where isRight: @escaping (IPPrefix) -> Bool) -> Kind {
        Kind(
            form: "text", expected: { expected },
            read: { value in
                guard case .string(let text) = value, let prefix = IPPrefix(text), isRight(prefix) else { return nil }
                return prefix
            }, write: { "\"\($0)\"" })
    }
}

// MARK: Sizes

private func parseSize(_ text: String) -> Int? {
    for (unit, scale) in [("KiB", 1024), ("MiB", 1_048_576)] where text.hasSuffix(unit) {
        guard let number = Int(text.dropLast(3)) else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: scale)
        return overflow ? nil : size
    }
    return nil
}

private func formatSize(_ size: Int) -> String {
    if size % 1_048_576 == 0 { return "\(size / 1_048_576)MiB" }
    return size % 1024 == 0 ? "\(size / 1024)KiB" : "\(size)"
}
