import Testing

@testable import VRRP

@Test func placeholder() { #expect(Bool(true)) }
