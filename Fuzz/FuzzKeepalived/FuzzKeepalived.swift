import Configuration
import KeepalivedImport

/// Any bytes as keepalived's configuration: definitions, loops and includes (of the file itself, and of two others), every
/// keyword, and the output.
///
/// Every import ends within its bounds. An output in which nothing is missing is a configuration that linkwatch-vrrp
/// accepts; whatever is not carried over has a reason; and reading the same bytes again gives the same result.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKeepalived(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = unsafe [UInt8](UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))
    let result = read(text)
    guard result.findings.allSatisfy({ !$0.text.isEmpty && $0.line.number >= 0 }) else {
        fatalError("a finding without a reason")
    }
    if let toml = result.toml {
        if result.worst ?? .difference < .missing, (try? VRRPConfiguration(text: Array(toml.utf8), file: "fuzz")) == nil
        {
            fatalError("carried, and refused:\n\(toml)")
        }
    } else if result.findings.isEmpty {
        fatalError("not carried, and no reason")
    }
    let again = read(text)
    guard again.toml == result.toml, again.findings == result.findings else {
        fatalError("read differently the second time")
    }
    return 0
}

private func read(_ text: [UInt8]) -> KeepalivedImport {
    let files: [String: [UInt8]] = [
        "k.conf": text, "./k.conf": text, "./a": Array("$A=b \\\nc\ninclude b\n".utf8),
        "./b": Array("vrrp_script b { script b }\n".utf8),
    ]
    return KeepalivedImport(
        path: "k.conf", configID: "one", program: "fuzz",
        surroundings: Surroundings(
            read: { path, _ in files[path].map { .text($0) } ?? .absent },
            matches: { files[$0] == nil ? ($0.hasSuffix("*") ? ["./a", "./b"] : []) : [$0] },
            variable: { $0 == "HOME" ? "/root" : nil }))
}
