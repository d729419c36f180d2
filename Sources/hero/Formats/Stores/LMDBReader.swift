import Foundation

/// A read-only LMDB store: byte keys in order, each with a value.
///
/// It needs neither a lock file nor a writable folder, and threads may share it. A damaged or
/// hostile file causes a `DataError`.
public final class LMDBReader: Sendable {
  /// The store's folder, as the user named it.
  public let path: String
  private let file: LMDBFile

  /// Opens the store at `path`: a folder with a `data.mdb`, or the file itself.
  public init(path: String) throws {
    self.path = path
    guard FileManager.default.fileExists(atPath: path) else {
      throw DataError("there is no such store", file: path, cure: DataError.missingCure(path))
    }
    let (data, isFolder) = (path + "/data.mdb", FileManager.default.isFolder(path))
    if isFolder, !FileManager.default.fileExists(atPath: data) {
      throw DataError("the folder has no data.mdb", file: path, cure: "Give the folder of an LMDB store")
    }
    file = try LMDBFile(path: isFolder ? data : path)
    if let name = namedDatabase() {
      throw DataError(
        "its entries lie in the named database \"\(name)\", which no reader of stores opens", file: file.path,
        cure: "Copy them to the file's main database: "
          + "lmdb.open(copy).begin(write=True).put(key, value) for each, without open_db")
    }
  }

  /// Returns the first named database in the file, whose main database then holds only names; nil
  /// for a store.
  private func namedDatabase() -> String? {
    guard let root = file.root, let page = try? file.page(root), page.isLeaf else { return nil }
    for index in 0..<page.count {
      if let node = page.node(index), case .database = node.content {
        return String(decoding: page.copy(node.key), as: UTF8.self)
      }
    }
    return nil
  }

  /// The number of entries.
  public var count: Int { file.entries }

  /// Returns the keys of the store's first leaf page as texts.
  public func someKeys() throws -> [String] {
    guard var number = file.root else { return [] }
    for _ in 0..<LMDBFile.depthLimit {
      let page = try file.page(number)
      guard page.isLeaf else {
        number = try child(page, 0)
        continue
      }
      return try (0..<page.count).map {
        String(decoding: page.copy(try node(page, $0).key), as: UTF8.self)
      }
    }
    return []
  }

  /// Returns the value of `key`, or nil if the store has none.
  public func get(_ key: String) throws -> [UInt8]? { try get(key: Array(key.utf8)) }

  /// Returns whether the store has the key, without reading its value.
  public func contains(_ key: String) throws -> Bool { try find(Array(key.utf8)) { _, _ in } != nil }

  /// Returns the value of `key`, or nil if the store has none.
  public func get(key: [UInt8]) throws -> [UInt8]? { try find(key, value) }

  /// Finds the entry of `key` and returns what `take` makes of it; nil if there is none.
  private func find<Found>(_ key: [UInt8], _ take: (LMDBPage, Int) throws -> Found) throws -> Found? {
    guard var number = file.root else { return nil }
    for _ in 0..<LMDBFile.depthLimit {
      let page = try file.page(number)
      let (index, isEqual) = try search(page, for: key)
      if page.isLeaf { return isEqual ? try take(page, index) : nil }
      number = try child(page, index)
    }
    throw file.damaged("the tree is deeper than \(LMDBFile.depthLimit) pages", page: number)
  }

  // MARK: - The tree

  private func node(_ page: LMDBPage, _ index: Int) throws -> (key: Range<Int>, content: LMDBPage.Content) {
    guard let node = page.node(index) else {
      throw file.damaged("entry \(index) is malformed", page: page.number)
    }
    return node
  }

  private func child(_ page: LMDBPage, _ index: Int) throws -> Int {
    guard case .child(let number) = try node(page, index).content else {
      throw file.damaged("entry \(index) is malformed", page: page.number)
    }
    return number
  }

  private func value(_ page: LMDBPage, _ index: Int) throws -> [UInt8] {
    switch try node(page, index).content {
    case .value(let range): page.copy(range)
    case .overflow(let number, let count): try file.overflow(number, count: count)
    case .child, .database: throw file.damaged("entry \(index) is malformed", page: page.number)
    }
  }

  /// Finds the entry for `key` in a page.
  ///
  /// In a leaf, it is the first one not before `key`. In a branch, it is the one to descend by; the
  /// first entry of a branch has no key.
  private func search(_ page: LMDBPage, for key: [UInt8]) throws -> (index: Int, isEqual: Bool) {
    if !page.isLeaf, page.count == 0 { throw file.damaged("a branch page is empty", page: page.number) }
    var low = page.isLeaf ? 0 : 1
    var high = page.count
    while low < high {
      let middle = (low + high) / 2
      let order = page.compare(key, with: try node(page, middle).key)
      if order == 0 { return (middle, true) }
      if order < 0 { high = middle } else { low = middle + 1 }
    }
    return (page.isLeaf ? low : low - 1, false)
  }
}
