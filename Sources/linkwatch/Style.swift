/// Colour, where a person will see it, and how wide text is there.
///
/// Colour never carries information of its own: coloured text says the same without it.
import Glibc
import LinuxSystem

/// What a piece of text is to its reader.
enum Style {
    case plain
    /// As it should be.
    case good
    /// As it should not be.
    case bad
    /// Worth a look.
    case caution
    /// There, and not worth one.
    case faint
    case heading

    /// The SGR parameters of ECMA-48.
    fileprivate var code: String? {
        switch self {
        case .plain: nil
        case .good: "32"
        case .bad: "1;31"
        case .caution: "33"
        case .faint: "2"
        case .heading: "1"
        }
    }
}

/// Whether to paint.
struct Palette {
    var isColoured: Bool

    static let plain = Palette(isColoured: false)

    /// Colour on a terminal that can show it, unless `NO_COLOR` (no-color.org) is set to anything.
    static func forDescriptor(_ fd: CInt) -> Palette {
        let terminal = environment("TERM") ?? ""
        return Palette(isColoured: isatty(fd) == 1 && !isSet("NO_COLOR") && terminal != "" && terminal != "dumb")
    }

    /// - Parameter text: what would drive the terminal is escaped; see `String.printable`.
    func paint(_ text: String, _ style: Style) -> String {
        let text = text.printable
        guard isColoured, let code = style.code, !text.isEmpty else { return text }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    private static func isSet(_ name: String) -> Bool { !(environment(name) ?? "").isEmpty }
}

extension String {
    /// This text in a field of at least `width` columns.
    func padded(_ width: Int, right: Bool = false) -> String {
        let padding = String(repeating: " ", count: max(0, width - columns))
        return right ? padding + self : self + padding
    }
}
