import Testing

@testable import Monitor

@Test func placeholder() { #expect(Bool(true)) }
