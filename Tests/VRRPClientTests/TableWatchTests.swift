/// What nf_tables' messages say of our table, and that no message can be malformed enough to harm.
import CLinux
import Testing

@testable import VRRPClient

@Suite struct TableWatchTests {
    private let name = "linkwatch_vrrp"

    private func message(
        _ type: UInt32, of table: String, family: Int = CLINUX_NFPROTO_INET,
        before: [UInt8] = []
    ) -> [UInt8] {
        let text = Array(table.utf8) + [0]
        var attribute = before + [UInt8(4 + text.count), 0, UInt8(NFTA_TABLE_NAME.rawValue), 0] + text
        while attribute.count % 4 != 0 { attribute.append(0) }
        let head: [UInt8] = [
            UInt8(20 + attribute.count), 0, 0, 0, UInt8(type), UInt8(NFNL_SUBSYS_NFTABLES), 0, 0, 0, 0, 0, 0,
            0,
            0, 0, 0, UInt8(family), 0, 0, 0,
        ]
        return head + attribute
    }

    private func state(after datagrams: [UInt8]...) -> Int? {
        var state = TableState(name)
        for datagram in datagrams { state.take(datagram.span) }
        return state.rules
    }

    private var made: [UInt8] {
        message(NFT_MSG_NEWTABLE.rawValue, of: name) + message(NFT_MSG_NEWCHAIN.rawValue, of: name)
            + message(NFT_MSG_NEWRULE.rawValue, of: name) + message(NFT_MSG_NEWRULE.rawValue, of: name)
    }

    @Test func aTableThatIsMadeHasItsRules() { #expect(state(after: made) == 2) }

    @Test func itIsReplacedAsAWhole() {
        let old = message(NFT_MSG_DELRULE.rawValue, of: name) + message(NFT_MSG_DELCHAIN.rawValue, of: name)
        #expect(state(after: made, old + message(NFT_MSG_DELTABLE.rawValue, of: name) + made) == 2)
    }

    @Test(arguments: [NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_DELRULE, NFT_MSG_NEWCHAIN].map(\.rawValue))
    func whatIsDoneToItIsSeen(_ type: UInt32) {
        #expect(state(after: made, message(type, of: name)) == nil)
        #expect(state(after: made, message(type, of: "filter")) == 2)
        #expect(state(after: made, message(type, of: name, family: 2)) == 2)
        // Behind others of one transaction, and behind an attribute that is not asked for.
        let behind = message(type, of: name, before: [5, 0, 9, 0, 1, 0, 0, 0])
        #expect(state(after: made, message(NFT_MSG_DELTABLE.rawValue, of: "filter") + behind) == nil)
    }

    @Test func aRuleThatIsAddedAndATableThatIsPutToSleepAreSeen() {
        #expect(state(after: made, message(NFT_MSG_NEWRULE.rawValue, of: name)) == 3)
        #expect(state(after: made, message(NFT_MSG_NEWTABLE.rawValue, of: name)) == 0)
    }

    @Test func noLengthLeadsAstray() {
        let whole = made + message(NFT_MSG_DELTABLE.rawValue, of: name)
        for length in 0..<whole.count { _ = state(after: Array(whole.prefix(length))) }
        for index in whole.indices {
            for value: UInt8 in [0, 1, 3, 4, 19, 20, 255] {
                var broken = whole
                broken[index] = value
                _ = state(after: broken)
            }
        }
    }
}
