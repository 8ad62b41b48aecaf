import Testing

@testable import LinkState

@Test func placeholder() { #expect(Bool(true)) }
