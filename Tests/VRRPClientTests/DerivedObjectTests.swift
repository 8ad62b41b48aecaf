/// Objects that are judged by others: several as one, inverted, and once they have lasted.
import Configuration
import LinuxSystem
import Testing
import VRRP

@testable import VRRPClient

private final class Source: Tracked {
    var isWell = true
    var hasAnswered = true
    let cause: Cause
    var onChange: () -> Void = {}

    init(_ name: String) { cause = Cause(.tracked, name) }
}

@Suite struct DerivedObjectTests {
    private let loop: EventLoop

    init() throws { loop = try EventLoop() }

    private func tracks(_ tracks: String, _ more: String = "") throws -> [VRRPConfiguration.Track] {
        let text = World.text + "track = [\(tracks)]\n[check.a]\nexec = [\"/bin/true\"]\n" + more
        return try VRRPConfiguration(text: Array(text.utf8), file: "a file").groups[0].tracks
    }

    private func counted(
        _ keys: String, _ source: Source, after predecessor: CountedObject? = nil
    ) throws -> CountedObject {
        CountedObject(try tracks("{ check = \"a\", \(keys) }")[0], source, loop, predecessor: predecessor)
    }

    @Test func enoughOfSeveral() throws {
        let more = "[track-group.up]\nany-of = [\"link:a\", \"link:b\", \"link:c\"]\nat-least = 2\n"
        guard case .trackGroup(let group) = try tracks("\"track-group:up\"", more)[0].object else {
            Issue.record("no track-group")
            return
        }
        let sources = ["link:a", "link:b", "link:c"].map(Source.init)
        let object = TrackedGroup(group, sources)
        var changes = 0
        object.onChange = { changes += 1 }
        object.begin()
        sources[1].isWell = false
        object.sourceChanged()
        #expect(object.isWell && changes == 1)
        sources[2].isWell = false
        object.sourceChanged()
        #expect(!object.isWell && object.cause == Cause(.tracked, "track-group:up", detail: "link:b, link:c"))
        #expect(object.contribution(of: -9) == -9 && !object.cause.isHard)
        // What has not answered is waited for, if it can change anything.
        sources[2].hasAnswered = false
        sources[2].isWell = true
        #expect(object.isWell && !object.hasAnswered)
        sources[1].isWell = true
        #expect(object.isWell && object.hasAnswered)
        (sources[0].isWell, sources[1].isWell) = (false, false)
        #expect(!object.isWell && object.hasAnswered)
    }

    @Test func inverted() throws {
        let source = Source("check:a")
        source.hasAnswered = false
        let object = try counted("inverted = true", source)
        var changes = 0
        object.onChange = { changes += 1 }
        object.begin()
        #expect(object.isWell && !object.hasAnswered, "an addition by a reload is no failure")
        source.hasAnswered = true
        object.sourceChanged()
        #expect(!object.isWell && changes == 1 && object.contribution(of: -10) == -10)
        #expect(object.cause == Cause(.tracked, "check:a", detail: "inverted"))
        object.sourceChanged()
        #expect(changes == 1)
        source.isWell = false
        object.sourceChanged()
        #expect(object.isWell && changes == 2 && object.contribution(of: -10) == 0)
    }

    /// What is there at the start counts, whatever the delay.
    @Test func theStartHasNoDelay() throws {
        let source = Source("check:a")
        source.isWell = false
        let object = try counted("up-delay = \"1h\", down-delay = \"1h\"", source)
        #expect(!object.isWell)
        // Before it begins, states are not known.
        source.isWell = true
        #expect(object.isWell)
        object.begin()
        source.isWell = false
        object.sourceChanged()
        #expect(object.isWell)
        object.stop()
    }

    @Test func aChangeCountsWhenItHasLasted() throws {
        let source = Source("check:a")
        let object = try counted("down-delay = \"20ms\"", source)
        object.begin()
        var times: [Int64] = []
        object.onChange = { [loop] in
            times.append(Clock.monotonicNs())
            loop.stop()
        }
        // Cancelled, so that the time begins anew.
        source.isWell = false
        object.sourceChanged()
        source.isWell = true
        object.sourceChanged()
        #expect(object.isWell && times.isEmpty)
        let fromNs = Clock.monotonicNs()
        source.isWell = false
        object.sourceChanged()
        #expect(object.isWell)
        try loop.run()
        #expect(!object.isWell && times.count == 1 && (times.first ?? 0) - fromNs >= 19_000_000)
        source.isWell = true
        object.sourceChanged()
        #expect(object.isWell && times.count == 2, "there is no delay upwards")
        object.stop()
    }

    /// A reload with other delays goes on with what counted, and since when it is otherwise.
    @Test func aReloadGoesOn() throws {
        let source = Source("check:a")
        let object = try counted("down-delay = \"1h\"", source)
        object.begin()
        source.isWell = false
        object.sourceChanged()
        let longer = try counted("down-delay = \"30min\"", source, after: object)
        longer.begin()
        #expect(object.isWell && longer.isWell)
        let shorter = try counted("down-delay = \"1ns\"", source, after: longer)
        shorter.begin()
        #expect(!shorter.isWell)
        #expect(object.precedes(try tracks("{ check = \"a\", up-delay = \"1s\" }")[0]))
        #expect(!object.precedes(try tracks("{ check = \"a\", inverted = true }")[0]))
        for object in [object, longer, shorter] { object.stop() }
    }
}
