/// `auth-type`, and `[instance.NAME.auth-hmac]`: what proves who sent an advert.
///
/// Keys are secrets: a message about a wrong one does not show it.

extension VRRPConfiguration {
    /// What `auth-pass` is used for.
    public enum AuthType: String, Hashable, Sendable, CaseIterable {
        /// It is sent as it is.
        case pass
        /// It is the key of an IP Authentication Header.
        case ah
    }

    /// Adverts with a trailer (draft-cassen-vrrp-auth-hmac).
    public struct AuthHMAC: Hashable, Sendable {
        /// 1 to 8, each with another number.
        public var keys: [Key] = []
        /// The number of the key of what is sent; nil: the first.
        public var activeKey: UInt8?
        public var mode = Mode.enforce
        public var replay = Replay.time
        /// How far the clocks of two routers may be apart; nil: three advert intervals, and at least 5 s.
        public var windowNs: Int64?

        public struct Key: Hashable, Sendable {
            /// 1 to 255.
            public var id: UInt8
            /// 32 to 64 octets.
            public var octets: [UInt8]
        }

        public enum Mode: String, Hashable, Sendable, CaseIterable {
            case enforce
            case permissive
            case receiveOnly = "receive-only"
        }

        public enum Replay: String, Hashable, Sendable, CaseIterable {
            case time
            case monotonic
        }
    }
}

extension Kind where Value == VRRPConfiguration.AuthHMAC.Key {
    /// A number and a key, as keepalived writes them.
    fileprivate static var key: Kind {
        Kind(
            form: "text",
            expected: {
                "a number from 1 to 255, and a key of 32 to 64 octets: \"1 hex:\" and 64 to 128 hexadecimal digits, or "
                    + "\"1 \" and as many ASCII characters without blanks"
            },
            read: { value in
                guard case .string(let text) = value else { return nil }
                let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, let id = UInt8(parts[0]), id > 0, let octets = octets(parts[1]),
                    (32...64).contains(octets.count)
                else { return nil }
                return VRRPConfiguration.AuthHMAC.Key(id: id, octets: octets)
            }, write: { _ in "" }, isSecret: true)
    }

    private static func octets(_ text: Substring) -> [UInt8]? {
        guard text.hasPrefix("hex:") else {
            return text.utf8.allSatisfy { (0x21...0x7e).contains($0) } ? Array(text.utf8) : nil
        }
        let digits = text.dropFirst(4).map(\.hexDigitValue)
        guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
        let values = digits.compactMap { $0 }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}

extension VRRPConfiguration.AuthHMAC {
    mutating func read(_ keys: TableReader) {
        keys.read("keys", .key, 1...8, of: "key", into: &self.keys, required: "its keys")
        keys.read("active-key", .number(1...255), into: &activeKey)
        keys.read("mode", .choice, into: &mode)
        keys.read("replay", .choice, into: &replay)
        keys.read("window", .duration(Time.second...300 * Time.second, step: Time.second), into: &windowNs)
        check(keys)
    }

    private func check(_ keys: TableReader) {
        var seen: Set<UInt8> = []
        for key in keys.located("keys", self.keys) where !seen.insert(key.value.id).inserted {
            keys.problems.report(key.position, "keys has number \(key.value.id) twice: expected it once")
        }
        if let activeKey, !seen.contains(activeKey), let position = keys.place(of: "active-key") {
            keys.problems.report(position, "active-key = \(activeKey): expected the number of one of the keys")
        }
        if replay == .monotonic, let position = keys.place(of: "window") {
            keys.problems.warn(position, "window has no effect with replay = \"monotonic\"")
        }
    }
}
