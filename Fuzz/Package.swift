// swift-tools-version: 6.1
import Foundation
import PackageDescription

let libFuzzer: [LinkerSetting] = [
  .unsafeFlags(["-Xlinker", ProcessInfo.processInfo.environment["HERO_LIBFUZZER"] ?? "-lFuzzer"]),
  .linkedLibrary("stdc++"),
]

/// The fuzz targets, a package of their own: they need sanitizers and libFuzzer, which `run` gives,
/// and nobody else should wait for them. The readers of formats are a program of their own: after
/// each input libFuzzer looks through the counters of all code that is linked.
let package = Package(
  name: "hero-fuzz",
  dependencies: [.package(name: "hero", path: "..")],
  targets: [
    .target(name: "Fuzzing", dependencies: [.product(name: "HeroFormats", package: "hero")]),
    .executableTarget(name: "hero-fuzz-formats", dependencies: ["Fuzzing"], linkerSettings: libFuzzer),
    .executableTarget(
      name: "hero-fuzz", dependencies: ["Fuzzing", .product(name: "HeroModules", package: "hero")],
      linkerSettings: libFuzzer),
  ],
  swiftLanguageModes: [.v6]
)
