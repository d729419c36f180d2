import Foundation
import TestSupport
import Testing

/// The lists of a release's parts.
///
/// `Scripts/check-release` checks a whole release, whose build takes minutes.
@Suite(.ownThreads) struct ReleaseTests {
  private static let tools = ["/usr/bin/python3", "/usr/bin/dpkg-query", "/bin/bash"]
  private static let hasTools = tools.allSatisfy(FileManager.default.isExecutableFile(atPath:))

  /// Runs a script of the checkout.
  private static func run(_ script: String, _ arguments: String...) throws -> HeroProcess {
    try HeroProcess(
      executable: SharedData.repository.appendingPathComponent("Scripts/\(script)"), arguments: arguments,
      environment: ["SOURCE_DATE_EPOCH": "1700000000"])
  }

  /// Makes a folder like a release's, with a program and one library.
  private static func makeRelease(at folder: String) throws {
    let files = FileManager.default
    for name in ["bin", "lib", "share/hero", "share/doc"] {
      try files.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    try Data("a program".utf8).write(to: URL(fileURLWithPath: "\(folder)/bin/hero"))
    try Data("0123abc\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/share/hero/commit"))
    try files.copyItem(
      atPath: SharedData.repository.appendingPathComponent("LICENSE").path, toPath: "\(folder)/LICENSE")
    var build = HeroProcess.binary
    while build.path != "/", !files.fileExists(atPath: build.appendingPathComponent("checkouts").path) {
      build.deleteLastPathComponent()
    }
    let copied = try run("copy-libraries", "\(folder)/lib", "/bin/true", "libzstd.so.1")
    try #require(copied.status == 0, "\(copied.errors)")
    let licensed = try run("copy-licenses", folder, build.path)
    try #require(licensed.status == 0, "\(licensed.errors)")
    let listed = try run("make-sbom", folder)
    try #require(listed.status == 0, "\(listed.errors)")
    try Data(listed.output.utf8).write(to: URL(fileURLWithPath: "\(folder)/share/doc/sbom.spdx.json"))
  }

  @Test(.enabled(if: hasTools, "Python or dpkg is not installed"))
  func theListOfPartsIsTrue() throws {
    let folder = try TemporaryFolder()
    let release = folder.path("hero-0-linux")
    try Self.makeRelease(at: release)
    let sound = try Self.run("check-sbom", release)
    #expect(sound.status == 0, "\(sound.errors)")

    let list = "\(release)/share/doc/sbom.spdx.json"
    let text = try String(contentsOfFile: list, encoding: .utf8)
    #expect(try Self.run("make-sbom", release).output == text)
    for part in ["swift-collections", "flyingfox", "swift", "icu", "libzstd1"] {
      #expect(text.contains("\"name\": \"\(part)\""), "\(part)")
    }
    #expect(text.contains("\"commit 0123abc\""))

    // Every defect is reported.
    func damaged(_ complaint: String, by damage: () throws -> Void) throws {
      try FileManager.default.removeItem(atPath: release)
      try Self.makeRelease(at: release)
      try damage()
      let run = try Self.run("check-sbom", release)
      #expect(run.status == 1 && run.errors.contains(complaint), "\(complaint): \(run.errors)")
    }
    try damaged("./lib/libzstd.so.1: another SHA-256") {
      try Data("x".utf8).write(to: URL(fileURLWithPath: "\(release)/lib/libzstd.so.1"))
    }
    try damaged("libzstd1.txt is missing") {
      try FileManager.default.removeItem(atPath: "\(release)/share/doc/libzstd1.txt")
    }
    try damaged("the text of GPL-2 is missing") {
      try FileManager.default.removeItem(atPath: "\(release)/share/doc/common-licenses/GPL-2")
    }
    try damaged("./lib/new.so.1 is not listed") {
      try Data("x".utf8).write(to: URL(fileURLWithPath: "\(release)/lib/new.so.1"))
    }
    try damaged("package hero lacks versionInfo") {
      try text.replacing(/"name": "hero",\s*"versionInfo": "[^"]*",/, with: "\"name\": \"hero\",")
        .write(toFile: list, atomically: true, encoding: .utf8)
    }
  }

  /// A library without a known license stops a release.
  @Test(.enabled(if: hasTools, "Python or dpkg is not installed"))
  func aLibraryOfNoPackageStopsARelease() throws {
    let run = try Self.run("owning-package", "libnothing-of-the-kind.so.1")
    #expect(run.status == 1 && run.errors.contains("libnothing-of-the-kind.so.1"))
  }
}
