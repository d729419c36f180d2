// swift-tools-version: 6.1
import Foundation
import PackageDescription

/// The fuzz targets, a package of their own: they need sanitizers and libFuzzer, which `run` gives,
/// and nobody else should wait for them.
let package = Package(
  name: "hero-fuzz",
  dependencies: [.package(name: "hero", path: "..")],
  targets: [
    .executableTarget(
      name: "hero-fuzz", dependencies: [.product(name: "HeroModules", package: "hero")],
      linkerSettings: [
        .unsafeFlags(["-Xlinker", ProcessInfo.processInfo.environment["HERO_LIBFUZZER"] ?? "-lFuzzer"]),
        .linkedLibrary("stdc++"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
