/// One call of `Engine.handle`: its time, what it has asked for so far, and what nothing after it may see.
struct Step {
    let nowNs: Int64
    var outputs: [Output] = []
    /// A master was heard.
    var hasHeard = false
    var facts = Facts()

    /// What the input has shown and the decision acts upon at once, or never.
    struct Facts {
        /// While we send adverts, one that beats us arrived. An input brings one advert, so it was on one leg.
        var isBeaten = false
        /// The peer resigned over a cable.
        var hasPeerResigned = false
        /// A lesser holder has not heard us for too long.
        var isUnheard = false
        /// An operator asks for a handover.
        var isHandingOver = false
        /// We slept longer than the lease of our addresses.
        var hasOverslept = false
    }
}
