/// Adverts and heartbeats that failed a check, as conditions that say who sends them and what differs. Their sender
/// refuses our adverts as we refuse its own, so neither learns of the other.
import VRRP

extension GroupDriver {
    /// How long such a condition lasts at least.
    private static let toldNs: Int64 = 10_000_000_000
    /// For how long the peer has been silent when others' heartbeats may be its own, with a wrong VRID.
    private static let silenceNs: Int64 = 5_000_000_000

    /// An advert or a heartbeat of one of our VRIDs failed a check.
    func tell(
        _ refused: RefusedAdvert, of subject: String, version: Int, intervalNs: Int64, leastHopLimit: UInt8 = 255
    ) {
        guard let kind = refused.kind else { return }
        let theirsNs = min(3 * refused.intervalNs, 120_000_000_000)
        passing.saw(kind, of: subject, forNs: max(Self.toldNs, 4 * intervalNs, theirsNs)) {
            refused.words(version: version, intervalNs: intervalNs, leastHopLimit: leastHopLimit)
        }
    }

    /// An advert of another VRID arrived. On a segment that other pairs share, their heartbeats are ignored while the
    /// peer's arrive.
    func hearStranger(_ refused: RefusedAdvert, on cable: Cable) {
        guard refused.isHeartbeat, loop.nowNs - cable.heardPeerNs > Self.silenceNs else { return }
        tell(.peerVRID, of: cable) {
            "\(refused.source) sends heartbeats with VRID \(refused.vrid), expected \(cable.heartbeat.peerVrid)"
        }
    }

    /// - Parameter words: the text: who sends it, and what differs; nil: nothing to report after all.
    func tell(_ kind: Condition.Kind, of cable: Cable, _ words: () -> String?) {
        passing.saw(
            kind, of: cable.heartbeat.name, forNs: max(Self.toldNs, 4 * cable.heartbeat.intervalNs), detail: words)
    }
}
