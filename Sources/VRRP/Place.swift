/// Which member, or which cable: a place in the lists of the configuration in force.
///
/// A place of one kind is not taken for one of another, or for any other number: the lists that have an element for each
/// member take a `MemberIndex`, and those that have one for each cable take a `CableIndex`.
public struct Place<Thing>: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
    /// From 0, in the order of the configuration.
    public let number: Int

    public init(_ number: Int) { self.number = number }
    public init(integerLiteral number: Int) { self.number = number }

    public static func < (left: Place, right: Place) -> Bool { left.number < right.number }
}

/// The place of a member: an index of `GroupConfiguration.members`.
public typealias MemberIndex = Place<MemberConfiguration>
/// The place of a cable: an index of `GroupConfiguration.cables`.
public typealias CableIndex = Place<CableConfiguration>

/// What there is one of for each thing.
public protocol Placed {
    /// What there is one of it for: `MemberConfiguration` or `CableConfiguration`.
    associatedtype Thing
}

extension MemberConfiguration: Placed { public typealias Thing = MemberConfiguration }
extension CableConfiguration: Placed { public typealias Thing = CableConfiguration }
extension Member: Placed { typealias Thing = MemberConfiguration }
extension Record.OfMember: Placed { typealias Thing = MemberConfiguration }
extension HeartbeatPool.Cable: Placed { typealias Thing = CableConfiguration }

/// All places of a list.
public struct Places<Thing>: RandomAccessCollection {
    public let startIndex = 0
    public let endIndex: Int
    public subscript(number: Int) -> Place<Thing> { Place(number) }
}

extension Array where Element: Placed {
    public subscript(place: Place<Element.Thing>) -> Element {
        get { self[place.number] }
        _modify { yield &self[place.number] }
    }

    /// All places, in order.
    public var places: Places<Element.Thing> { Places(endIndex: count) }

    /// Whether the list has this place.
    public func has(_ place: Place<Element.Thing>) -> Bool { indices.contains(place.number) }

    /// The first place whose element satisfies the condition; nil: there is none.
    public func firstPlace(where isSo: (Element) -> Bool) -> Place<Element.Thing>? {
        firstIndex(where: isSo).map { Place($0) }
    }
}
