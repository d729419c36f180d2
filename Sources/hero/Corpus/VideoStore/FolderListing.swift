import Formats
import Foundation

/// The feature files in one part's folder by the name of their video, and notes about all else
/// there.
struct FolderListing {
  struct File {
    /// The subfolder that holds the file, from the part's folder.
    var folder: String
    var path: String
  }

  /// The extensions of feature files, in any case; the first wins if a folder has a video with
  /// both.
  private static let endings = ["npz", "npy"]
  /// The depth to which folders are read, so that no loop of links goes on forever.
  private static let deepest = 8

  /// The files of each video, in the order of their folders.
  private(set) var files: [Name: [File]] = [:]
  /// The names, without their extension, of files that were skipped.
  private(set) var lost: Set<Name> = []
  /// A line for each of them, and for everything else that was not read.
  private(set) var notes: [String] = []

  /// - Throws: `DataError` if a folder cannot be listed.
  init(root: String) throws {
    try add(root, folder: "", depth: 0)
  }

  private mutating func add(_ path: String, folder: String, depth: Int) throws {
    let listing = try FolderNames(path: path)
    for name in listing.unreadable {
      notes.append("\(path)/\(name): the name is not UTF-8 and is no video's; rename it")
    }
    var folders: [String] = []
    var found: [(name: Name, rank: Int, path: String)] = []
    for (name, kind) in listing.entries {
      let file = "\(path)/\(name)"
      let dot = name.utf8.lastIndex(of: UInt8(ascii: "."))
      let ending = dot.map { name[name.index(after: $0)...].lowercased() } ?? ""
      let stem = Name(dot.map { String(name[..<$0]) } ?? name)
      let rank = Self.endings.firstIndex(of: ending)
      switch kind {
      case .folder: folders.append(name)
      case .file where rank != nil && !stem.text.isEmpty && !stem.text.hasPrefix("._"):
        found.append((stem, 2 * (rank ?? 0) + (name.hasSuffix(".\(ending)") ? 0 : 1), file))
      case .file where name.hasPrefix(".") || FileEndings.isSystems(name):
        notes.append("\(file): is no feature file and is passed over")
      case .file where FileEndings.isUnfinished(name):
        notes.append("\(file): is an unfinished download and is passed over")
      case .file:
        lost.insert(stem)
        notes.append("\(file): is not taken; features are .npz or .npy files")
      case .broken:
        lost.insert(stem)
        notes.append("\(file): is not taken; it is a link to nothing, or no file")
      }
    }
    for (name, _, file) in found.sorted(by: { ($0.name, $0.rank, $0.path) < ($1.name, $1.rank, $1.path) }) {
      files[name, default: []].append(File(folder: folder, path: file))
    }
    for name in folders {
      let inside = folder.isEmpty ? name : "\(folder)/\(name)"
      if Self.isLoop("\(path)/\(name)", in: path) {
        notes.append("\(path)/\(name): is a link to a folder that it lies in, and is not looked into")
      } else if depth < Self.deepest {
        try add("\(path)/\(name)", folder: inside, depth: depth + 1)
      } else {
        notes.append("\(path)/\(name): lies too deep and is not looked into")
      }
    }
  }

  /// Returns whether a folder is the one that holds it, or one above that.
  private static func isLoop(_ path: String, in parent: String) -> Bool {
    guard let outer = real(path), let inner = real(parent) else { return false }
    return inner.starts(with: outer)
  }

  /// Returns the bytes of a folder's path without links, with a slash at the end.
  private static func real(_ path: String) -> [UInt8]? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    let bytes = [UInt8](UnsafeRawBufferPointer(start: found, count: strlen(found)))
    return bytes.last == UInt8(ascii: "/") ? bytes : bytes + [UInt8(ascii: "/")]
  }
}
