import Testing

@testable import MIIRegisters

@Test func placeholder() { #expect(Bool(true)) }
