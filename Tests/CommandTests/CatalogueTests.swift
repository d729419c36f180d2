import Foundation
import TestSupport
import Testing

/// The documentation catalogues of the modules.
struct CatalogueTests {
  private static let modules = [
    "Engine", "Formats", "Text", "Metrics", "Corpus", "Model", "Tasks", "Training", "Bench", "Demo", "Vision",
    "Search", "Serve",
  ]

  private static func sources(of module: String) throws -> String {
    let folder = SharedData.repository.appendingPathComponent("Sources/hero/\(module)")
    let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    return try names.filter { $0.hasSuffix(".swift") }.map {
      try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
    }.joined(separator: "\n")
  }

  /// A module's page links only public symbols that the module declares.
  @Test(arguments: modules) func linksLead(module: String) throws {
    let page = SharedData.repository.appendingPathComponent(
      "Sources/hero/\(module)/\(module).docc/\(module).md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let link = try Regex("``([A-Za-z0-9]+)``", as: (Substring, Substring).self)
    let links = text.matches(of: link).map { String($0.1) }
    #expect(links.first == module && links.count > 1)
    let sources = try Self.sources(of: module)
    for link in Set(links.dropFirst()) {
      let declaration = try Regex("(public|open) (final )?(class|struct|enum|protocol|typealias) \(link)\\b")
      #expect(sources.contains(declaration), "\(link)")
    }
  }
}
