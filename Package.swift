// swift-tools-version: 6.1
import PackageDescription

/// Every folder under `Sources/hero` is a module, which imports only modules listed before it.
let shims = "Sources/hero/Shims"

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/hero/\(name)")
}

func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(
    name: name, path: "\(shims)/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func tests(_ module: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(module)Tests", dependencies: [.byName(name: module)] + dependencies + ["TestSupport"],
    path: "Tests/\(module)Tests")
}

let package = Package(
  name: "hero",
  products: [
    .executable(name: "hero", targets: ["hero"]),
    // The fuzz targets, a separate package, use these libraries.
    .library(name: "HeroFormats", targets: ["Formats", "Text"]),
    .library(
      name: "HeroModules",
      targets: ["Corpus", "Metrics", "Model", "Training", "Bench", "Search", "Serve"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
  ],
  targets: [
    systemLibrary("CLMDB", pkgConfig: "lmdb", apt: "liblmdb-dev"),
    systemLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
    systemLibrary("CLZ4", pkgConfig: "liblz4", apt: "liblz4-dev"),
    systemLibrary("CZip", pkgConfig: "libzip", apt: "libzip-dev"),
    systemLibrary("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
    .target(
      name: "COpenBLAS", path: "\(shims)/COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CMPI", path: "\(shims)/CMPI", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CKernels", path: "\(shims)/CKernels", linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CFileFaults", path: "\(shims)/CFileFaults"),
    .target(name: "CFFmpeg", path: "\(shims)/CFFmpeg", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CDNNL", path: "\(shims)/CDNNL", linkerSettings: [.linkedLibrary("dl")]),

    .target(
      name: "CCUDA", dependencies: ["CKernels"], path: "\(shims)/CCUDA", exclude: ["kernels"],
      linkerSettings: [.linkedLibrary("dl")]),

    module(
      "Engine",
      ["COpenBLAS", "CKernels", "CCUDA", "CMPI", .product(name: "HeapModule", package: "swift-collections")]),
    module(
      "Formats",
      [
        "CLMDB", "CZstd", "CLZ4", "CZip", "CZlib", "CFileFaults",
        .product(name: "OrderedCollections", package: "swift-collections"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    module("Text", ["Formats"]),
    module("Metrics", ["Formats", .product(name: "HeapModule", package: "swift-collections")]),
    module("Corpus", ["Text", "Formats"]),
    module("Model", ["Engine", "Formats"]),
    module("Tasks", ["Model", "Corpus", "Metrics", "Text", "Engine", "Formats"]),
    module("Training", ["Tasks", "Model", "Corpus", "Metrics", "Text", "Engine", "Formats"]),
    module("Bench", ["Tasks", "Model", "Corpus", "Metrics", "Engine", "Formats"]),
    module("Demo", ["Text", "Formats"]),
    module("Vision", ["CFFmpeg", "CDNNL", "Formats"]),
    module(
      "Search",
      [
        "Bench", "Training", "Tasks", "Model", "Corpus", "Metrics", "Text", "Engine", "Formats", "CKernels",
      ]),
    .target(
      name: "Serve",
      dependencies: [
        "Search", "Vision", "Tasks", "Corpus", "Training", "Metrics", "Formats",
        .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ],
      path: "Sources/hero/Serve",
      resources: [
        "index.html", "style.css", "common.js", "app.js", "cards.js", "player.js", "timeline.js",
        "evaluation.js",
        "icon.svg", "openapi.json",
      ].map { .embedInCode("Page/\($0)") }),
    .executableTarget(
      name: "hero",
      dependencies: [
        "Search", "Serve", "Bench", "Training", "Model", "Demo", "Vision", "Metrics", "Corpus", "Engine",
        "Text",
        "Formats",
        "CFFmpeg",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/hero/Commands"),

    .target(
      name: "TestSupport",
      dependencies: [
        "Engine", "Formats", "Metrics", "CUDAEmulation", "TileEmulation", "CKernels", "CLMDB",
      ],
      path: "Tests/TestSupport"),
    // The tests' own driver and device, which run the CUDA backend without a GPU.
    .target(
      name: "CUDAEmulation", dependencies: ["CCUDA", "COpenBLAS"], path: "Tests/CUDAEmulation",
      exclude: ["Libraries"]),
    // An emulation of AMX, for its kernels on processors without it.
    .target(name: "TileEmulation", dependencies: ["CKernels"], path: "Tests/TileEmulation"),
    .target(
      name: "SearchTestSupport",
      dependencies: ["Search", "Training", "Model", "Engine", "Corpus", "Text", "Formats", "TestSupport"],
      path: "Tests/SearchTestSupport"),
    tests("Engine", ["CCUDA", "CKernels", "CUDAEmulation", "TileEmulation"]),
    tests("Formats", ["CLMDB"]),
    tests("Text", ["Formats"]),
    tests("Metrics", ["Formats"]),
    tests("Corpus", ["Text", "Formats"]),
    tests("Tasks", ["Model", "Engine", "Corpus", "Metrics", "Formats", "Text", "CUDAEmulation"]),
    tests("Training", ["Tasks", "Model", "Corpus", "Metrics", "Engine", "Formats", "CUDAEmulation"]),
    tests("Bench", ["Model", "Metrics", "Engine", "Formats"]),
    tests("Demo", ["Text", "Formats"]),
    tests(
      "Search",
      [
        "SearchTestSupport", "Training", "Tasks", "Model", "Engine", "Corpus", "Metrics", "Formats",
        "CKernels",
      ]),
    tests(
      "Serve",
      [
        "SearchTestSupport", "Search", "Training", "Model", "Metrics", "Corpus", "Engine", "Formats",
        .product(name: "FlyingFox", package: "FlyingFox"),
      ]),
    tests("Vision", ["CFFmpeg", "Formats"]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "hero", "SearchTestSupport", "Search", "Training", "Demo", "Corpus", "Formats", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/CommandTests"),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
