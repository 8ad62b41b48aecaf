import Testing

@testable import VRRP

/// Addresses as text and as octets.
struct AddressTests {
    @Test(arguments: [
        "0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::1", "ff02::12",
        "::ffff:192.0.2.1", "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1", "1:2:3:4:5:6:7:8",
    ])
    func textSurvives(_ text: String) {
        #expect(IPAddress(text)?.description == text)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.0.0.1", "1.2.3.4 ", ":", ":::", "1::2::3", "1:2:3:4:5:6:7",
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
}
