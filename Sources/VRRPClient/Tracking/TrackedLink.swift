/// A tracked interface: well while its link is up. It has a cause of its own, which is hard.
import Configuration
import VRRP

final class TrackedLink: Tracked {
    private let name: String
    private let choice: VRRPConfiguration.LinkStateChoice
    private let links: LinkWatch

    var onChange: () -> Void = {}

    init(_ name: String, _ choice: VRRPConfiguration.LinkStateChoice, _ links: LinkWatch) {
        self.name = name
        self.choice = choice
        self.links = links
        links.follow([name], choice, by: self) { [unowned self] _, _ in onChange() }
    }

    func stop() { links.unfollow(self) }

    var isWell: Bool { links.state(of: name, choice).isUp }

    var cause: Cause { Cause(.link, name, detail: links.state(of: name, choice).reason) }
}
