import Testing

@testable import Varlink

@Test func placeholder() { #expect(Bool(true)) }
