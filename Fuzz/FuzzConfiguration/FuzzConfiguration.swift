import Configuration

/// Any bytes as a configuration file, read by both readers: toml++, its shim, every key and every cross-check.
///
/// Every input is refused or read. A refusal must have a message, and reading the same bytes again must give the same
/// result.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfiguration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = unsafe [UInt8](UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))
    check { () throws(ConfigurationRefused) in try VRRPConfiguration(text: text, file: "fuzz") }
    check { () throws(ConfigurationRefused) in
        let configuration = try MonitorConfiguration(text: text, file: "fuzz")
        _ = configuration.policy(forInterface: "eth0", altnames: ["uplink"])
        return configuration
    }
    return 0
}

private func check<Value: Equatable>(_ read: () throws(ConfigurationRefused) -> Value) {
    do {
        let value = try read()
        guard let again = try? read(), again == value else { fatalError("read differently the second time") }
    } catch {
        guard !error.errors.isEmpty, error.errors.allSatisfy({ !$0.message.isEmpty && $0.line >= 0 }) else {
            fatalError("refused without a reason")
        }
    }
}
