import Addresses
import Testing

/// Addresses as text and as octets.
@Suite struct IPAddressTests {
    @Test(arguments: [
        "0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::1", "ff02::12",
        "::ffff:192.0.2.1", "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1", "1:2:3:4:5:6:7:8",
    ])
    func textSurvives(_ text: String) {
        #expect(IPAddress(text)?.description == text)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.0.0.1", "1.2.3.4 ", "host", "::g", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "12345::", "fe80::1%eth0", "+1::", "::1.2.3", "1:2:3:4:5:6:7::8:9",
    ])
    func nonsenseIsRefused(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func octetsSurvive() throws {
        for text in ["198.51.100.7", "2001:db8::abcd:a"] {
            let address = try #require(IPAddress(text))
            var octets: [UInt8] = [0xee]
            address.append(to: &octets)
            #expect(IPAddress(address.family, in: octets.span, at: 1) == address)
            #expect(IPAddress(address.family, in: octets.span, at: 2) == nil)
            #expect(IPAddress(address.family, in: octets.span, at: -1) == nil)
        }
    }

    @Test func orderIsUnsigned() throws {
        #expect(try #require(IPAddress("127.0.0.1")) < #require(IPAddress("128.0.0.1")))
        #expect(try #require(IPAddress("fe80::1")) < #require(IPAddress("fe80::2")))
    }

    @Test func mappingGoesBothWays() throws {
        let address = try #require(IPAddress("192.0.2.1"))
        #expect(address.mapped.description == "::ffff:192.0.2.1")
        #expect(address.mapped.unmapped == address)
    }

    @Test func kinds() {
        #expect(IPAddress("fe80::1")?.isLinkLocal == true)
        #expect(IPAddress("febf::1")?.isLinkLocal == true)
        #expect(IPAddress("fec0::1")?.isLinkLocal == false)
        for text in ["0.0.0.0", "127.0.0.1", "224.0.0.18", "255.255.255.255", "::", "::1", "ff02::12"] {
            #expect(IPAddress(text)?.isUnicast == false)
        }
    }
}

@Suite struct IPPrefixTests {
    @Test(arguments: [
        ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"), ("192.0.2.77/24", "192.0.2.0/24"), ("192.0.2.1", "192.0.2.1/32"),
        ("2001:db8:ffff::1/33", "2001:db8:8000::/33"), ("2001:db8::1/64", "2001:db8::/64"),
        ("2001:db8::ff/127", "2001:db8::fe/127"), ("::ffff:1.2.3.4", "::ffff:1.2.3.4/128"),
    ]) func networks(_ text: String, _ network: String) throws {
        let prefix = try #require(IPPrefix(text))
        #expect(prefix.description == (text.contains("/") ? text : network), "a host's bits stay")
        #expect(prefix.network.description == network)
        #expect(prefix.network.isNetwork)
        #expect(prefix.isNetwork == (prefix.description == network))
        #expect(prefix.contains(prefix.address))
    }

    @Test(arguments: [
        "", "/", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/+1", "1.2.3.4/", "::1/1/1", "default",
    ]) func nonsenseIsRefused(_ text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test func containing() throws {
        let network = try #require(IPPrefix("198.51.100.0/23"))
        #expect(try network.contains(#require(IPAddress("198.51.101.255"))))
        #expect(try !network.contains(#require(IPAddress("198.51.102.0"))))
        #expect(try !network.contains(#require(IPAddress("::"))))
    }
}
