import Testing

@testable import RtnlMonitor

@Test func placeholder() { #expect(Bool(true)) }
