// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 language mode comes with the tools version; these two are what it does not bring.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let strictC: [CSetting] = [
    .unsafeFlags(["-Wall", "-Wextra", "-Werror"])
]

/// The static runtime's arguments export every symbol of a program; without that the dynamic symbol table is not mapped.
let program: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "--no-export-dynamic"])]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

/// The modules, in the alphabet's order. An import only ever points down: `docs/modules.md` says what each module is for.
let targets: [Target] = [
    .target(name: "Addresses", swiftSettings: strict),
    .testTarget(name: "AddressesTests", dependencies: ["Addresses"], swiftSettings: strict),
    .target(name: "CDigest", cSettings: strictC),
    .target(name: "CIoctl", cSettings: strictC),
    .target(name: "CLinux", cSettings: strictC),
    .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
    .target(name: "CToml", cxxSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
    .testTarget(name: "CommandLineTests", dependencies: ["Monitor", "linkwatch"], swiftSettings: strict),
    .target(name: "Configuration", dependencies: ["Addresses", "CToml", "LinkState"], swiftSettings: strict),
    .testTarget(
        name: "ConfigurationTests", dependencies: ["Addresses", "Configuration", "LinkState"], swiftSettings: strict),
    .target(name: "KeepalivedImport", dependencies: ["Addresses"], swiftSettings: strict),
    .testTarget(
        name: "KeepalivedImportTests", dependencies: ["Configuration", "KeepalivedImport"],
        exclude: ["configurations"], swiftSettings: strict),
    .target(name: "LinkState", swiftSettings: strict),
    .testTarget(name: "LinkStateTests", dependencies: ["LinkState"], swiftSettings: strict),
    .target(
        name: "Links", dependencies: ["Configuration", "LinkState", "MIIRegisters", "Monitor", "RtnlMonitor"],
        swiftSettings: strict),
    .testTarget(
        name: "LinksTests", dependencies: ["CIoctl", "Configuration", "LinkState", "Links", "MIIRegisters"],
        swiftSettings: strict),
    .target(name: "LinuxSystem", dependencies: ["CLinux", system], swiftSettings: strict),
    .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem"], swiftSettings: strict),
    .target(
        name: "MIIRegisters", dependencies: ["CIoctl", "LinkState", "LinuxSystem", system], swiftSettings: strict),
    .testTarget(
        name: "MIIRegistersTests", dependencies: ["CIoctl", "CLinux", "LinkState", "MIIRegisters"],
        swiftSettings: strict),
    .target(
        name: "Monitor", dependencies: ["LinkState", "LinuxSystem", "Varlink"],
        exclude: ["io.linkwatch.Monitor.varlink"], swiftSettings: strict),
    .testTarget(name: "MonitorTests", dependencies: ["LinkState", "Monitor"], swiftSettings: strict),
    .target(
        name: "RtnlMonitor", dependencies: ["Addresses", "CMnl", "LinkState", "LinuxSystem", system],
        swiftSettings: strict),
    .testTarget(
        name: "RtnlMonitorTests", dependencies: ["Addresses", "LinkState", "RtnlMonitor"], swiftSettings: strict),
    .target(name: "VRRP", dependencies: ["Addresses", "CDigest"], swiftSettings: strict),
    .executableTarget(
        name: "VRRPClient",
        dependencies: [
            "Addresses", "CLinux", "Configuration", "LinkState", "LinuxSystem", "Monitor", "RtnlMonitor", "VRRP",
            "VRRPRecording", "VRRPStatus", "Varlink", system,
        ],
        swiftSettings: strict, linkerSettings: program),
    .testTarget(
        name: "VRRPClientTests",
        dependencies: ["Addresses", "Configuration", "LinkState", "Links", "VRRPClient", "VRRPRecording"],
        swiftSettings: strict),
    .target(name: "VRRPRecording", dependencies: ["VRRP", "Varlink"], swiftSettings: strict),
    .testTarget(
        name: "VRRPRecordingTests", dependencies: ["Addresses", "VRRP", "VRRPRecording"], swiftSettings: strict),
    .target(
        name: "VRRPSimulation", dependencies: ["Addresses", "VRRP"], path: "Tests/VRRPSimulation", swiftSettings: strict
    ),
    .target(
        name: "VRRPStatus", dependencies: ["Monitor", "Varlink"], exclude: ["io.linkwatch.VRRP.varlink"],
        swiftSettings: strict),
    .testTarget(name: "VRRPStatusTests", dependencies: ["VRRPStatus"], swiftSettings: strict),
    .testTarget(name: "VRRPTests", dependencies: ["Addresses", "VRRP", "VRRPSimulation"], swiftSettings: strict),
    .target(name: "Varlink", dependencies: ["CLinux", "LinuxSystem", system], swiftSettings: strict),
    .testTarget(name: "VarlinkTests", dependencies: ["Varlink"], swiftSettings: strict),
    .executableTarget(
        name: "linkwatch",
        dependencies: [
            "CLinux", "Configuration", "KeepalivedImport", "Links", "LinuxSystem", "MIIRegisters", "Monitor",
            "RtnlMonitor", "VRRPStatus", "Varlink", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: strict),
    .executableTarget(
        name: "linkwatchd",
        dependencies: [
            "Configuration", "LinkState", "Links", "LinuxSystem", "MIIRegisters", "Monitor", "RtnlMonitor", "Varlink",
        ],
        swiftSettings: strict, linkerSettings: program),
    .executableTarget(
        name: "vrrp-search", dependencies: ["VRRP", "VRRPRecording", "VRRPSimulation", system],
        path: "Tests/VRRPSearch", swiftSettings: strict),
]

/// Targets for libFuzzer, which brings a `main` of its own: only there when `Fuzz/run` asks for them.
let fuzzTargets: [Target] = [
    fuzz("FuzzAdverts", ["Addresses", "VRRP"]),
    fuzz("FuzzConfiguration", ["Configuration"]),
    fuzz("FuzzKeepalived", ["Configuration", "KeepalivedImport"]),
    fuzz("FuzzRtnl", ["RtnlMonitor"]),
    fuzz("FuzzVarlink", ["LinuxSystem", "Monitor", "Varlink"]),
]

func fuzz(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Fuzz/\(name)",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
}

let isFuzzing = Context.environment["LINKWATCH_FUZZ"] == "1"

let package = Package(
    name: "linkwatch",
    products: [
        .executable(name: "linkwatch", targets: ["linkwatch"]),
        .executable(name: "linkwatch-vrrp", targets: ["VRRPClient"]),
        .executable(name: "linkwatchd", targets: ["linkwatchd"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: isFuzzing ? targets + fuzzTargets : targets,
    cxxLanguageStandard: .cxx17
)
